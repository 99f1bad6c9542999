import type { Finding } from '../../model/health.ts';
import type { BlockDevice, HealthReader } from '../../usecases/health-ports.ts';
import { readMounts, type Mount } from './mounts.ts';

/** What the kernel writes among the options of a filesystem that it has given up writing to. */
const givenUp = ['emergency_ro', 'shutdown', 'abort'];

/**
 * Filesystems that could be written to and no longer can. One that was read-only whenever it was
 * looked at is meant to be.
 *
 * @param file - the mounts of the machine, such as /proc/1/mountinfo
 */
export function readOnlyMounts(file: string): HealthReader {
  const writable = new Set<string>();

  function judge(device: BlockDevice, mount: Mount): Finding {
    const { name, identity } = device;
    const isReadOnly = mount.superOptions.includes('ro');
    const mark = givenUp.find((option) => mount.superOptions.includes(option));
    if (!isReadOnly && mark === undefined) {
      writable.add(identity);
    }
    const isTrouble = mark !== undefined || (isReadOnly && writable.has(identity));
    const why = mark === undefined ? '' : ` (${mark})`;
    const text = `${mount.fsType} on ${name}, mounted at ${mount.point}, has become read-only${why}`;
    return {
      device: name,
      reason: 'FilesystemReadOnly',
      message: isTrouble ? text : undefined,
    };
  }

  return async (devices) => {
    const mounts = await readMounts(file);
    return devices.flatMap((device) => {
      const mount = mounts.find((one) => isOn(one, device));
      return mount === undefined ? [] : [judge(device, mount)];
    });
  };
}

function isOn({ device, source }: Mount, { name, number }: BlockDevice): boolean {
  return device === number || source === `/dev/${name}`;
}
