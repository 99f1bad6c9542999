import { formatBytes } from '../model/bytes.ts';
import { describeError } from '../model/errors.ts';
import type { Disk } from '../model/disk.ts';
import type { NodePool } from './node-pools.ts';
import type { DeviceStanding, NodeDisks, PoolStanding } from './node-ports.ts';
import type { EventSink, Log, ObjectRef } from './ports.ts';
import { showDevices } from './show-devices.ts';

export interface NodeDevicesParts {
  readonly disks: NodeDisks;
  readonly events: EventSink;
  readonly log: Log;
  /** The StorageNode, for events. */
  readonly about: () => ObjectRef;
}

/** The disks of the node, as the StorageNode shows them; tells of those that come and go. */
export class NodeDevices {
  readonly #parts: NodeDevicesParts;
  /** Missing while nobody has ever looked: what is there then has not just been found. */
  #shown: readonly DeviceStanding[] | undefined;
  #disks: readonly Disk[] = [];
  #trouble: string | undefined;

  constructor(parts: NodeDevicesParts) {
    this.#parts = parts;
  }

  /** Goes on with what an earlier agent has shown, so that its disks are not found anew. */
  resume(shown: readonly DeviceStanding[] | undefined): void {
    this.#shown = shown;
  }

  /** Never fails: while disks cannot be listed, those that were known last are shown. */
  async show(
    pools: readonly NodePool[],
    standings: readonly PoolStanding[],
  ): Promise<readonly DeviceStanding[]> {
    const isListed = await this.#list();
    if (!isListed && this.#disks.length === 0) {
      return this.#shown ?? [];
    }
    const now = showDevices(this.#disks, pools, standings);
    this.#tell(this.#shown ?? now, now);
    this.#shown = now;
    return now;
  }

  async #list(): Promise<boolean> {
    const { disks, log } = this.#parts;
    try {
      this.#disks = await disks.list();
      this.#trouble = undefined;
      return true;
    } catch (error) {
      const trouble = describeError(error);
      if (trouble !== this.#trouble) {
        log.warn('the disks cannot be listed', { error: trouble });
      }
      this.#trouble = trouble;
      return false;
    }
  }

  #tell(before: readonly DeviceStanding[], now: readonly DeviceStanding[]): void {
    const { events, about } = this.#parts;
    for (const { id, path, bytes, reason } of missingIn(before, now)) {
      const text = `${id} (${path}, ${formatBytes(bytes)}): ${reason ?? 'pools may take it'}`;
      events.normal(about(), 'DiskFound', text);
    }
    for (const { id, path, bytes } of missingIn(now, before)) {
      events.normal(about(), 'DiskGone', `${id} (was ${path}, ${formatBytes(bytes)})`);
    }
  }
}

/** Those of `others` that `some` does not have. */
function missingIn(
  some: readonly DeviceStanding[],
  others: readonly DeviceStanding[],
): readonly DeviceStanding[] {
  const known = new Set(some.map(({ id }) => id));
  return others.filter(({ id }) => !known.has(id));
}
