import { healthOnTop } from '../model/device-layers.ts';
import {
  healthOf,
  healthsOf,
  judgeLook,
  resumeTrouble,
  type Finding,
  type Health,
  type Trouble,
} from '../model/health.ts';
import type {
  BlockDevice,
  DeviceChain,
  DeviceChains,
  DeviceHealth,
  DeviceTrouble,
  HealthProbe,
  HealthReader,
} from './health-ports.ts';
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
  /** Each single thing that is wrong with a device. */
  readonly troubles: readonly DeviceTrouble[];
  /** What was seen at this look. */
  readonly seen: readonly Finding[];
}

export interface HealthWatchParts {
  readonly chains: DeviceChains;
  readonly readers: readonly HealthReader[];
  readonly probes: readonly HealthProbe[];
  readonly now: Now;
  readonly quietMs: number;
}

interface Watched {
  readonly device: BlockDevice;
  readonly troubles: readonly Trouble[];
}

type Chains = ReadonlyMap<string, DeviceChain>;

/**
 * Looks at the devices under pools and volumes, again and again, and remembers what was wrong.
 * A pool or a volume is as well as what it lies on: see `healthOnTop`.
 */
export class HealthWatch {
  readonly #parts: HealthWatchParts;
  /** By name in the kernel. */
  #watched: ReadonlyMap<string, Watched> = new Map();
  /** What the readers found at the last look: device and reason. */
  #seenBefore: ReadonlySet<string> = new Set();
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
    const poolChains = new Map<string, DeviceChain>();
    for (const { pool, paths } of pools) {
      poolChains.set(pool, await this.#below(paths));
    }
    const volumeChains = new Map<string, DeviceChain>();
    for (const { name, pool, path } of volumes) {
      const chain = await this.#below([path]);
      const rest = chain.isCut ? poolChains.get(pool) : undefined;
      volumeChains.set(name, joined(rest ? [chain, rest] : [chain]));
    }
    const seen = await this.#see([...poolChains.values(), ...volumeChains.values()]);
    return {
      devices: this.#illDevices(poolChains),
      pools: this.#illOf(poolChains),
      volumes: this.#illOf(volumeChains),
      troubles: this.#troubles(),
      seen,
    };
  }

  async #below(paths: readonly string[]): Promise<DeviceChain> {
    return joined(await Promise.all(paths.map((path) => this.#parts.chains.below(path))));
  }

  async #see(chains: readonly DeviceChain[]): Promise<readonly Finding[]> {
    const { readers, probes, now, quietMs } = this.#parts;
    const at = now();
    const all = joined(chains).devices;
    const read = (await Promise.all(readers.map((look) => look(all, at)))).flat();
    const hinted = this.#hintedIn(chains, read);
    const probed = probes.flatMap((look) => look(all, { now: at, hinted }));
    const findings = [...read, ...probed];
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

  /** Those that share a way down with a device that has met something new; all, where a disk went. */
  #hintedIn(chains: readonly DeviceChain[], found: readonly Finding[]): ReadonlySet<string> {
    const all = joined(chains).devices;
    const gone = [...this.#watched.values()].filter(
      ({ device }) => device.isDisk && !all.some(({ identity }) => identity === device.identity),
    );
    const ill = found.filter(({ message }) => message !== undefined);
    const news = ill.filter((each) => !this.#seenBefore.has(keyOf(each)));
    this.#seenBefore = new Set(ill.map(keyOf));
    const concerned = chains.filter(({ devices }) =>
      devices.some(({ name }) => news.some(({ device }) => device === name)),
    );
    const hinted = gone.length > 0 ? all : joined(concerned).devices;
    return new Set(hinted.map(({ name }) => name));
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

  #illOf(chains: Chains): ReadonlyMap<string, Health> {
    const layers = new Map([...this.#watched].map(([name, { device }]) => [name, device]));
    const healthsAt = (name: string): readonly Health[] =>
      healthsOf(this.#watched.get(name)?.troubles ?? []);
    return new Map(
      [...chains].flatMap(([key, { tops }]) => {
        const health = healthOnTop(tops, layers, healthsAt);
        return health ? [[key, health]] : [];
      }),
    );
  }

  #illDevices(poolChains: Chains): readonly DeviceHealth[] {
    return [...this.#watched.values()]
      .flatMap(({ device: { name, identity }, troubles }): readonly DeviceHealth[] => {
        const health = healthOf(troubles);
        const pools = [...poolChains].filter(([, { devices }]) =>
          devices.some((one) => one.name === name),
        );
        const names = pools.map(([pool]) => pool).sort();
        return health ? [{ device: name, identity, ...health, pools: names }] : [];
      })
      .sort((a, b) => (a.device < b.device ? -1 : 1));
  }

  #troubles(): readonly DeviceTrouble[] {
    return [...this.#watched.values()].flatMap(({ device, troubles }) =>
      healthsOf(troubles).map(({ reason, state }) => ({ device: device.name, reason, state })),
    );
  }
}

function joined(chains: readonly DeviceChain[]): DeviceChain {
  const devices = new Map(chains.flatMap((chain) => chain.devices).map((one) => [one.name, one]));
  return {
    devices: [...devices.values()],
    tops: [...new Set(chains.flatMap(({ tops }) => tops))],
    isCut: chains.some(({ isCut }) => isCut),
  };
}

function keyOf({ device, reason }: Finding): string {
  return `${device} ${reason}`;
}
