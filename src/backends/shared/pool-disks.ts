import { selectsDisk, type DeviceSelector } from '../../model/device-selector.ts';
import { whyNotTaken } from '../../model/disk.ts';
import { PermanentError } from '../../model/errors.ts';
import { whyNotBlank } from '../../platform/blank.ts';
import type { ListDisks } from '../../platform/block-devices.ts';
import type { InTurn } from '../../usecases/one-at-a-time.ts';
import type { PoolDisks } from '../backend.ts';

/**
 * The disks of the node for one pool.
 *
 * @param takeInTurn - one row for all pools of the node: a blank disk becomes only one pool's
 */
export function poolDisks(
  selector: DeviceSelector | undefined,
  list: ListDisks,
  takeInTurn: InTurn,
): PoolDisks {
  return {
    list: async () =>
      (await list()).map((disk) => ({
        disk,
        selected: selector !== undefined && selectsDisk(selector, disk),
      })),
    take: (wanted, mark) =>
      takeInTurn(async () => {
        const disk = (await list()).find(
          ({ id, path }) => id === wanted.id && path === wanted.path,
        );
        const why =
          disk === undefined
            ? 'it is no longer there'
            : (whyNotTaken(disk) ?? (await whyNotBlank(disk.path, disk.bytes)));
        if (why !== undefined) {
          throw new PermanentError(`${wanted.path} (${wanted.id}) is not taken: ${why}`);
        }
        await mark(wanted.path);
      }),
  };
}
