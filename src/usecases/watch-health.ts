import {
  healthOf,
  judgeLook,
  resumeTrouble,
  type Finding,
  type Health,
  type Trouble,
} from '../model/health.ts';
import type { BlockDevice, DeviceChains, DeviceHealth, HealthReader } from './health-ports.ts';
import type { Now } from './ports.ts';

/** What is to be watched: where pools and volumes lie. */
export interface HealthPlaces {
  readonly pools: readonly PoolPlace[];
  readonly volumes: readonly VolumePlace[];
}

export interface PoolPlace {
  readonly pool: string;
  /** Its directory, or the disks it is made of. */
  readonly paths: readonly string[];
}

export interface VolumePlace {
  readonly name: string;
  readonly pool: string;
  /** What kubelet mounts. */
  readonly path: string;
}

/** What all the looks so far come to. Only what is ill is named. */
export interface HealthPicture {
  readonly devices: readonly DeviceHealth[];
  readonly pools: ReadonlyMap<string, Health>;
  readonly volumes: ReadonlyMap<string, Health>;
  /** What was seen at this look. */
  readonly seen: readonly Finding[];
}

export interface HealthWatchParts {
  readonly chains: DeviceChains;
  readonly readers: readonly HealthReader[];
  readonly now: Now;
  readonly quietMs: number;
}

interface Watched {
  readonly device: BlockDevice;
  readonly troubles: readonly Trouble[];
}

/**
 * Looks at the devices under pools and volumes, again and again, and remembers what was wrong.
 * A pool or a volume is as well as the worst of all that it lies on.
 */
export class HealthWatch {
  readonly #parts: HealthWatchParts;
  /** By name in the kernel. */
  #watched: ReadonlyMap<string, Watched> = new Map();
  /** What an earlier agent knew, by identity, until the device is met. */
  readonly #before = new Map<string, readonly Trouble[]>();

  constructor(parts: HealthWatchParts) {
    this.#parts = parts;
  }

  /** Takes over what an earlier agent has seen. */
  resume(devices: readonly DeviceHealth[]): void {
    const now = this.#parts.now();
    for (const { identity, ...health } of devices) {
      const known = this.#before.get(identity) ?? [];
      this.#before.set(identity, [...known, resumeTrouble(health, now)]);
    }
  }

  async look({ pools, volumes }: HealthPlaces): Promise<HealthPicture> {
    const poolChains = new Map<string, readonly BlockDevice[]>();
    for (const { pool, paths } of pools) {
      poolChains.set(pool, (await this.#below(paths)).devices);
    }
    const volumeChains = new Map<string, readonly BlockDevice[]>();
    for (const { name, pool, path } of volumes) {
      const { devices, isCut } = await this.#below([path]);
      const rest = isCut ? (poolChains.get(pool) ?? []) : [];
      volumeChains.set(name, [...devices, ...rest]);
    }
    const chains = [...poolChains.values(), ...volumeChains.values()].flat();
    const devices = new Map(chains.map((device) => [device.name, device]));
    const seen = await this.#see(devices);
    return {
      devices: this.#illDevices(poolChains),
      pools: this.#illOf(poolChains),
      volumes: this.#illOf(volumeChains),
      seen,
    };
  }

  async #below(
    paths: readonly string[],
  ): Promise<{ devices: readonly BlockDevice[]; isCut: boolean }> {
    const chains = await Promise.all(paths.map((path) => this.#parts.chains.below(path)));
    const devices = chains.flatMap((chain) => chain.devices);
    return { devices, isCut: chains.some(({ isCut }) => isCut) };
  }

  async #see(devices: ReadonlyMap<string, BlockDevice>): Promise<readonly Finding[]> {
    const { readers, now, quietMs } = this.#parts;
    const at = now();
    const all = [...devices.values()];
    const findings = (await Promise.all(readers.map((read) => read(all, at)))).flat();
    const next = new Map<string, Watched>();
    for (const device of all) {
      const found = findings.filter((finding) => finding.device === device.name);
      const troubles = judgeLook(this.#knownOf(device), found, { now: at, quietMs });
      next.set(device.name, { device, troubles });
    }
    this.#keepAway(next, at);
    this.#watched = next;
    return findings.filter(({ message }) => message !== undefined);
  }

  /** What is away for a moment, as during a repair, comes back with what is known of it. */
  #keepAway(next: ReadonlyMap<string, Watched>, now: number): void {
    for (const { device, troubles } of this.#watched.values()) {
      if (next.get(device.name)?.device.identity !== device.identity) {
        this.#before.set(device.identity, troubles);
      }
    }
    for (const [identity, troubles] of this.#before) {
      if (troubles.every(({ lastSeen }) => now - lastSeen >= this.#parts.quietMs)) {
        this.#before.delete(identity);
      }
    }
  }

  /** Another device under an old name begins with nothing. */
  #knownOf({ name, identity }: BlockDevice): readonly Trouble[] {
    const watched = this.#watched.get(name);
    if (watched?.device.identity === identity) {
      return watched.troubles;
    }
    const before = this.#before.get(identity) ?? [];
    this.#before.delete(identity);
    return before;
  }

  #illOf(chains: ReadonlyMap<string, readonly BlockDevice[]>): ReadonlyMap<string, Health> {
    const ill = new Map<string, Health>();
    for (const [key, devices] of chains) {
      const health = healthOf(
        devices.flatMap(({ name }) => this.#watched.get(name)?.troubles ?? []),
      );
      if (health !== undefined) {
        ill.set(key, health);
      }
    }
    return ill;
  }

  #illDevices(poolChains: ReadonlyMap<string, readonly BlockDevice[]>): readonly DeviceHealth[] {
    return [...this.#watched.values()]
      .flatMap(({ device: { name, identity }, troubles }): readonly DeviceHealth[] => {
        const health = healthOf(troubles);
        const pools = [...poolChains].filter(([, chain]) => chain.some((one) => one.name === name));
        const names = pools.map(([pool]) => pool).sort();
        return health ? [{ device: name, identity, ...health, pools: names }] : [];
      })
      .sort((a, b) => (a.device < b.device ? -1 : 1));
  }
}
