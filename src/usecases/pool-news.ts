import { formatBytes } from '../model/bytes.ts';
import { apiVersion } from '../model/names.ts';
import type { NodeVolumes, PoolStanding } from './node-ports.ts';
import type { DiskInPool, EventSink, ObjectRef } from './ports.ts';

export interface PoolNewsParts {
  readonly node: string;
  readonly events: EventSink;
  readonly volumes: Pick<NodeVolumes, 'list'>;
  /** A volume should be looked at: its pool works again. */
  readonly lookAt: (volume: string) => void;
}

type Remarks = Pick<PoolStanding, 'name' | 'disks' | 'warnings'>;

/** Tells on the StoragePools what has changed on this node since the last report. */
export class PoolNews {
  readonly #parts: PoolNewsParts;
  readonly #problems = new Map<string, string>();
  #before: readonly Remarks[] = [];

  constructor(parts: PoolNewsParts) {
    this.#parts = parts;
  }

  /** Goes on with what an earlier agent has told. */
  resume(before: readonly Remarks[]): void {
    this.#before = before;
  }

  tell(standings: readonly PoolStanding[]): void {
    this.#before = standings.map((standing) => {
      const about = { apiVersion, kind: 'StoragePool', name: standing.name };
      const before = this.#before.find(({ name }) => name === standing.name);
      this.#tellHealth(standing, about);
      if (!standing.healthy && standing.disks === undefined) {
        // It could not be read: what was told of its disks stands.
        return before ?? { name: standing.name };
      }
      this.#tellDisks(before?.disks ?? [], standing.disks ?? [], about);
      this.#tellWarnings(before?.warnings ?? [], standing.warnings ?? [], about);
      return standing;
    });
  }

  #tellHealth({ name, healthy, message = '' }: PoolStanding, about: ObjectRef): void {
    const { node, events, volumes, lookAt } = this.#parts;
    if (!healthy && this.#problems.get(name) !== message) {
      this.#problems.set(name, message);
      events.warning(about, 'PoolUnusable', `node ${node}: ${message}`);
    }
    if (healthy && this.#problems.delete(name)) {
      events.normal(about, 'PoolUsable', `node ${node}: the pool can be used again`);
      volumes
        .list()
        .filter(({ spec }) => spec.pool === name)
        .forEach((volume) => lookAt(volume.name));
    }
  }

  #tellDisks(before: readonly DiskInPool[], now: readonly DiskInPool[], about: ObjectRef): void {
    for (const disk of now) {
      const was = before.find(({ id }) => id === disk.id);
      if (was?.state !== disk.state || was.message !== disk.message) {
        this.#tellDisk(disk, about);
      }
    }
    for (const disk of before) {
      if (disk.state !== 'refused' && !now.some(({ id }) => id === disk.id)) {
        const text = `node ${this.#parts.node}: ${describe(disk)}`;
        this.#parts.events.normal(about, 'PoolDiskLeft', text);
      }
    }
  }

  #tellDisk(disk: DiskInPool, about: ObjectRef): void {
    const { node, events } = this.#parts;
    const text = `node ${node}: ${describe(disk)}`;
    const why = disk.message ?? disk.state;
    switch (disk.state) {
      case 'used':
        events.normal(about, 'PoolDiskTaken', text);
        break;
      case 'leaving':
        events.normal(about, 'PoolDiskLeaving', `${text}: volumes are on it`);
        break;
      case 'refused':
        events.warning(about, 'PoolDiskRefused', `${text}: ${why}`);
        break;
      case 'missing':
        events.warning(about, 'PoolDiskMissing', `${text}: ${why}`);
    }
  }

  #tellWarnings(before: readonly string[], now: readonly string[], about: ObjectRef): void {
    const { node, events } = this.#parts;
    for (const text of now.filter((each) => !before.includes(each))) {
      events.warning(about, 'PoolWarning', `node ${node}: ${text}`);
    }
  }
}

function describe({ id, path, bytes }: DiskInPool): string {
  return `${path ?? 'disk'} (${id}, ${formatBytes(bytes)})`;
}
