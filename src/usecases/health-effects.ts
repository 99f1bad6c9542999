import { claimText } from '../model/claim.ts';
import type { Health } from '../model/health.ts';
import type { LocalVolume } from '../model/volume.ts';
import { volumeRef, warnOwners } from './agent-volume.ts';
import type { DeviceHealth, HealthMeter, IllCount } from './health-ports.ts';
import type { NodeVolumes } from './node-ports.ts';
import type { EventSink, Log } from './ports.ts';
import type { HealthPicture } from './watch-health.ts';

export interface HealthEffectParts {
  readonly node: string;
  readonly volumes: Pick<NodeVolumes, 'list' | 'setHealth'>;
  readonly events: EventSink;
  readonly log: Log;
  readonly meter: HealthMeter;
  /** What the node says of its pools has changed. */
  readonly changed: () => void;
}

const allWell: HealthPicture = {
  ...{ devices: [], pools: new Map(), volumes: new Map() },
  ...{ troubles: [], seen: [] },
};

/** What follows when a device is no longer well, or is well again: who is told, and what is written. */
export class HealthEffects {
  readonly #parts: HealthEffectParts;
  #picture = allWell;
  /** Per volume, by uid, what was written last: memory may be older. */
  readonly #written = new Map<string, string>();

  constructor(parts: HealthEffectParts) {
    this.#parts = parts;
  }

  get devices(): readonly DeviceHealth[] {
    return this.#picture.devices;
  }

  pool(name: string): Health | undefined {
    return this.#picture.pools.get(name);
  }

  /** Goes on where an earlier agent stopped: what that one has told is not told again. */
  resume(devices: readonly DeviceHealth[]): void {
    this.#picture = { ...allWell, devices };
  }

  /** May be repeated; writes nothing where all is as it was. */
  async apply(picture: HealthPicture): Promise<void> {
    const before = this.#picture;
    this.#picture = picture;
    this.#tellDevices(before.devices, picture.devices);
    if (textOf(before) !== textOf(picture)) {
      this.#parts.changed();
    }
    this.#count(picture);
    await this.#writeVolumes(picture);
  }

  #tellDevices(before: readonly DeviceHealth[], after: readonly DeviceHealth[]): void {
    const { node, events, log } = this.#parts;
    // `kubectl describe node` looks for events that have the name in place of the uid.
    const about = { apiVersion: 'v1', kind: 'Node', name: node, uid: node };
    for (const { device, state, reason, message, pools } of after) {
      if (before.find((one) => one.device === device)?.state !== state) {
        const under = pools.length > 0 ? ` (under pool ${pools.join(', ')})` : '';
        const word = state === 'failing' ? 'DiskFailing' : 'DiskSuspect';
        events.warning(about, word, `${device}${under}: ${message}`);
        log.warn('a device is not well', { device, state, reason, message });
      }
    }
    for (const { device } of before) {
      if (!after.some((one) => one.device === device)) {
        events.normal(about, 'DiskWell', `${device}: nothing is wrong with it any more`);
        log.info('a device is well again', { device });
      }
    }
  }

  #count({ devices, pools, volumes, troubles, seen }: HealthPicture): void {
    const { meter } = this.#parts;
    meter.troubles(troubles);
    seen.forEach(({ device, reason }) => meter.seen(device, reason));
    const kinds = { device: devices, pool: [...pools.values()], volume: [...volumes.values()] };
    const counts = Object.entries(kinds).flatMap(([kind, all]) =>
      (['suspect', 'failing'] as const).map((state) => ({
        ...{ kind: kind as IllCount['kind'], state },
        count: all.filter((one) => one.state === state).length,
      })),
    );
    meter.ill(counts);
  }

  async #writeVolumes({ volumes }: HealthPicture): Promise<void> {
    const all = this.#parts.volumes.list();
    const known = new Set(all.map(({ uid }) => uid));
    [...this.#written.keys()]
      .filter((uid) => !known.has(uid))
      .forEach((uid) => {
        this.#written.delete(uid);
      });
    const results = await Promise.allSettled(
      all.map((volume) => this.#writeVolume(volume, volumes.get(volume.name))),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) {
      throw failed.reason;
    }
  }

  async #writeVolume(volume: LocalVolume, health: Health | undefined): Promise<void> {
    const { uid, status } = volume;
    const shown = this.#written.get(uid) ?? keyOf(status.health);
    if (shown === keyOf(health)) {
      return;
    }
    await this.#parts.volumes.setHealth(volume, health);
    this.#written.set(uid, keyOf(health));
    this.#tellVolume(volume, health);
  }

  #tellVolume(volume: LocalVolume, health: Health | undefined): void {
    const { node, events } = this.#parts;
    const { name, spec } = volume;
    const what = `volume ${name} of claim ${claimText(spec.claimRef)} in pool ${spec.pool} of node ${node}`;
    if (health === undefined) {
      const text = `${what}: nothing is wrong with its disk any more`;
      events.normal(volumeRef(volume), 'VolumeWell', text);
      events.normal(
        { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...spec.claimRef },
        'VolumeWell',
        text,
      );
      return;
    }
    const word = health.state === 'failing' ? 'VolumeFailing' : 'VolumeSuspect';
    warnOwners(volume, word, `${what}: ${health.message}`, events);
  }
}

/** What is worth a write when it differs. */
function keyOf(health: Health | undefined): string {
  return health === undefined ? '' : `${health.state} ${health.reason} ${health.message}`;
}

function textOf({ devices, pools }: HealthPicture): string {
  return JSON.stringify([devices, [...pools]]);
}
