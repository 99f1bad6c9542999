import { selectsDisk, type DeviceSelector } from '../../model/device-selector.ts';
import { whyNotTaken, type Disk } from '../../model/disk.ts';
import { PermanentError } from '../../model/errors.ts';
import { whyNotBlank } from '../../platform/blank.ts';
import { isListedAs, type LookAtDisk } from '../../platform/block-devices.ts';
import type { RememberedDisks } from '../../platform/remembered-disks.ts';
import type { InTurn } from '../../usecases/one-at-a-time.ts';
import type { PoolDisk, PoolDisks } from '../backend.ts';
import type { DiskOwners } from './disk-owners.ts';

/** What all pools of a node share. */
export interface SharedDisks {
  readonly disks: Pick<RememberedDisks, 'now' | 'present'>;
  readonly lookAt: LookAtDisk;
  readonly owners: DiskOwners;
  /** The path by which a disk is offered whole, where it is: it has another owner tomorrow. */
  readonly offeredAs: (path: string) => Promise<string | undefined>;
  /** One row for all of them: a blank disk becomes only one pool's. */
  readonly takeInTurn: InTurn;
}

/** The disks of the node for one pool. */
export function poolDisks(
  pool: string,
  selector: DeviceSelector | undefined,
  { disks, lookAt, owners, offeredAs, takeInTurn }: SharedDisks,
): PoolDisks {
  async function whyNot(wanted: Disk): Promise<string | undefined> {
    const disk = await lookAt(wanted.path);
    if (disk === undefined || !isListedAs(disk, wanted)) {
      return 'it is no longer there';
    }
    const owner = owners.otherThan(pool, wanted.id);
    if (owner !== undefined) {
      return `it belongs to pool ${owner}`;
    }
    // A claim may have it although nothing is written on it yet.
    const entry = await offeredAs(disk.path);
    return entry === undefined
      ? (whyNotTaken(disk) ?? whyNotBlank(disk.path, disk.bytes))
      : `it is offered whole as ${entry}`;
  }

  function toPoolDisk(disk: Disk): PoolDisk {
    return {
      disk,
      selected: selector !== undefined && selectsDisk(selector, disk),
      takenBy: owners.otherThan(pool, disk.id),
    };
  }

  return {
    list: async () => (await disks.now()).map(toPoolDisk),
    present: async () => (await disks.present()).map(toPoolDisk),
    take: (wanted, mark) =>
      takeInTurn(async () => {
        const why = await whyNot(wanted);
        if (why !== undefined) {
          throw new PermanentError(`${wanted.path} (${wanted.id}) is not taken: ${why}`);
        }
        await mark(wanted.path);
        owners.took(pool, wanted.id);
      }),
  };
}
