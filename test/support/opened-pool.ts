import { DiskOwners } from '../../src/backends/shared/disk-owners.ts';
import { openPool } from '../../src/backends/shared/open-pool.ts';
import type { DeclaredPool } from '../../src/backends/index.ts';
import { listDisks, lookAtDisk } from '../../src/platform/block-devices.ts';
import { rememberedDisks } from '../../src/platform/remembered-disks.ts';
import type { RunCommand } from '../../src/platform/run-command.ts';
import { oneAtATime } from '../../src/usecases/one-at-a-time.ts';
import type { StorageBackend } from '../../src/usecases/ports.ts';

/** The pool `fast` as the agent opens it, over the disks of this machine. Those it names count as real ones. */
export function openedAsByAgent(
  plan: DeclaredPool,
  runDir: string,
  run: RunCommand,
): StorageBackend {
  const own = new Set(plan.devices?.paths ?? []);
  const list = async () =>
    (await listDisks(run)()).map((disk) => (own.has(disk.path) ? { ...disk, type: 'disk' } : disk));
  const disks = rememberedDisks(list, (kname) => own.has(`/dev/${kname}`), Date.now);
  return openPool(
    plan,
    { pool: 'fast', runDir, run, now: Date.now, hasVolumes: () => false, inTurn: oneAtATime() },
    {
      disks,
      lookAt: lookAtDisk(run),
      offeredAs: () => Promise.resolve(undefined),
      owners: new DiskOwners(() => true),
      takeInTurn: oneAtATime(),
    },
  );
}
