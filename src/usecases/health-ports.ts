import type { Finding, Health } from '../model/health.ts';

/** One block device, as the kernel shows it now. */
export interface BlockDevice {
  /** Such as `sdb1`; another device may have it later. */
  readonly name: string;
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
  readonly devices: readonly BlockDevice[];
  /** It leads to a file that cannot be found from here, so what lies below that is missing. */
  readonly isCut: boolean;
}

/** One source of news about devices. Never throws: what cannot be read gives no finding. */
export type HealthReader = (
  devices: readonly BlockDevice[],
  now: number,
) => Promise<readonly Finding[]>;

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
}

export interface IllCount {
  readonly kind: 'device' | 'pool' | 'volume';
  readonly state: string;
  readonly count: number;
}
