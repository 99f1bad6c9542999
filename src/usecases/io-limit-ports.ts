import type { IoLimits } from '../model/io-limits.ts';
import type { IoLimitsStanding, LocalVolume } from '../model/volume.ts';

/** Which local PersistentVolumes the pods of this node have, as kubelet's own folders show it. */
export interface PodVolumes {
  /** The uids of the pods that have folders. @throws Error where kubelet's folder cannot be read */
  pods(): Promise<readonly string[]>;
  /** The names of the PersistentVolumes of one pod; none where it is gone. */
  volumesOf(pod: string): Promise<readonly string[]>;
  /**
   * Calls `onChange` with the uid of each pod that may have got or lost a volume, until `signal`
   * fires. What there was before is not told.
   *
   * @throws Error where that cannot be watched
   */
  watch(onChange: (pod: string) => void, signal: AbortSignal): Promise<void>;
}

/** Per device, as `7:3`, what holds for it. */
export type DeviceLimits = ReadonlyMap<string, IoLimits>;

/** The kernel's limits for all that runs in a pod. */
export interface PodThrottle {
  /**
   * Makes the limits hold for a pod. Calls `onContainers` whenever it has to be called again, since
   * another container has begun. May be repeated.
   *
   * @throws Error where the pod has no cgroup, as in its first moments, or the kernel refuses
   */
  limit(pod: string, limits: DeviceLimits, onContainers: () => void): Promise<void>;
  /** Listens no longer for containers of the pod. Its limits go with its cgroup, by themselves. */
  forget(pod: string): void;
}

/** The device that has to be limited for those who use a volume at `path`. @throws Error */
export type LimitedDevice = (path: string) => Promise<string>;

/** Writes, where it differs, whether the limits of a volume hold; nothing where nobody uses it. */
export type ShowIoLimits = (
  volume: LocalVolume,
  standing: IoLimitsStanding | undefined,
) => Promise<void>;

export interface IoLimitMeter {
  /** How many volumes in use have their limits, and how many have them not. */
  count(applied: number, failed: number): void;
}
