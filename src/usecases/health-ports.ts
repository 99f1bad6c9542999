import type { Layer } from '../model/device-layers.ts';
import type { Finding, Health } from '../model/health.ts';

/** One block device, as the kernel shows it now. Its name, such as `sdb1`, another may have later. */
export interface BlockDevice extends Layer {
  /** `major:minor`. */
  readonly number: string;
  /** Tells it from another device that had this name before, or has it later. */
  readonly identity: string;
  /** Nothing that the kernel knows of lies below it. */
  readonly isDisk: boolean;
}

/** Finds the devices that data lies on. */
export interface DeviceChains {
  /**
   * The device or filesystem at `path` and all that it is made of, from top to bottom; empty where
   * nobody can tell.
   */
  below(path: string): Promise<DeviceChain>;
}

export interface DeviceChain {
  /** Each of them once. */
  readonly devices: readonly BlockDevice[];
  /** The names of those that it lies on first. */
  readonly tops: readonly string[];
  /** It leads to a file that cannot be found from here, so what lies below that is missing. */
  readonly isCut: boolean;
}

/** One source of news about devices. Never throws: what cannot be read gives no finding. */
export type HealthReader = (
  devices: readonly BlockDevice[],
  now: number,
) => Promise<readonly Finding[]>;

/**
 * One source that costs more than reading a file, so that it decides itself when it looks. It
 * never waits: what it learns it tells at one of the next looks.
 */
export type HealthProbe = (
  devices: readonly BlockDevice[],
  look: {
    readonly now: number;
    /** The names of those on whose way down to the disks something new is wrong. */
    readonly hinted: ReadonlySet<string>;
  },
) => readonly Finding[];

/** What is wrong with one device, as it stands in the StorageNode. */
export interface DeviceHealth extends Health {
  readonly device: string;
  readonly identity: string;
  /** What lies on it. */
  readonly pools: readonly string[];
}

/** What is counted of it, for those who run the node. */
export interface HealthMeter {
  /** Something was seen of a device that is not well. */
  seen(device: string, reason: string): void;
  /** How many are ill now. */
  ill(counts: readonly IllCount[]): void;
  /** All that is wrong now, device by device. */
  troubles(all: readonly DeviceTrouble[]): void;
}

/** One thing that is wrong with one device now. */
export interface DeviceTrouble {
  readonly device: string;
  readonly reason: string;
  readonly state: string;
}

export interface IllCount {
  readonly kind: 'device' | 'pool' | 'volume';
  readonly state: string;
  readonly count: number;
}
