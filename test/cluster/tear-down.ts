import { existsSync, rmSync } from 'node:fs';

import { removeDisks } from './leftover-disks.ts';
import { killUntilGone, ownedProcesses } from './processes.ts';
import { cgroupPrefix, releaseSlot, slotOf } from './slots.ts';
import { removeNodeNetwork } from './node-network.ts';
import { killInCgroups, removeCgroups } from './cgroups.ts';

/**
 * Removes everything the cluster in `dir` has on this machine: processes, containers, mounts, loop devices,
 * network addresses, cgroups, its folder. Repeatable, and right for clusters in any state, also for one whose
 * harness was killed half-way: it goes by what the machine shows and not by what somebody wrote down.
 */
export async function tearDown(dir: string): Promise<void> {
  await killUntilGone(`processes of ${dir}`, () => ownedProcesses(dir).map(({ pid }) => pid));
  const slot = slotOf(dir);
  if (slot !== undefined) {
    // Containers do not know whose they are by their environment; their cgroup tells. After them their shims
    // have nothing to restart, so this order leaves nothing that could start anything.
    await killInCgroups(cgroupPrefix(slot));
    await removeCgroups(cgroupPrefix(slot));
    await removeNodeNetwork(slot);
  }
  await removeDisks(dir);
  if (existsSync(dir)) {
    rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }
  releaseSlot(dir);
}
