import type { IoLimits } from '../model/io-limits.ts';
import type { DeviceLimits } from '../usecases/io-limit-ports.ts';

/** The files of cgroup v1, each with a line `MAJOR:MINOR VALUE` per limited device. */
export const v1Files: Readonly<Record<keyof IoLimits, string>> = {
  readIops: 'blkio.throttle.read_iops_device',
  writeIops: 'blkio.throttle.write_iops_device',
  readBytesPerSecond: 'blkio.throttle.read_bps_device',
  writeBytesPerSecond: 'blkio.throttle.write_bps_device',
};

/** The keys of a line `MAJOR:MINOR rbps=VALUE wbps=max ...` in io.max of cgroup v2. */
const v2Keys: Readonly<Record<keyof IoLimits, string>> = {
  readIops: 'riops',
  writeIops: 'wiops',
  readBytesPerSecond: 'rbps',
  writeBytesPerSecond: 'wbps',
};

/**
 * What has to be written into a file of cgroup v1 so that the limits hold; other devices stay.
 *
 * @param text - what the file says now
 */
export function changesV1(
  text: string,
  limits: DeviceLimits,
  name: keyof IoLimits,
): readonly string[] {
  const now = valuesOf(text);
  return [...limits].flatMap(([device, wanted]) => {
    const value = wanted[name];
    return value === undefined || now.get(device)?.[0] === String(value)
      ? []
      : [`${device} ${value}`];
  });
}

/** The same for io.max; keys that nobody limits stay as they are. */
export function changesV2(text: string, limits: DeviceLimits): readonly string[] {
  const now = valuesOf(text);
  return [...limits].flatMap(([device, wanted]) => {
    const pairs = Object.entries(v2Keys).flatMap(([name, key]) => {
      const value = wanted[name as keyof IoLimits];
      return value === undefined ? [] : [`${key}=${value}`];
    });
    const missing = pairs.filter((pair) => now.get(device)?.includes(pair) !== true);
    return missing.length === 0 ? [] : [`${device} ${missing.join(' ')}`];
  });
}

function valuesOf(text: string): ReadonlyMap<string, readonly string[]> {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  return new Map(lines.map(([device = '', ...values]) => [device, values]));
}

/**
 * Whether this is the name of the pod's cgroup: `pod<uid>` from kubelet's driver cgroupfs,
 * `kubepods-burstable-pod<uid, with _ for ->.slice` from systemd.
 */
export function isPodCgroup(name: string, pod: string): boolean {
  return name === `pod${pod}` || name.endsWith(`-pod${pod.replaceAll('-', '_')}.slice`);
}

/** Whether it is the name of any pod's: nothing else is found below it. */
export function isSomePodCgroup(name: string): boolean {
  return /(^|-)pod[0-9a-f]{8}[-_0-9a-f]+(\.slice)?$/.test(name);
}
