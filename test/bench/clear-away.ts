import { forEachParallel } from '../cluster/parallel.ts';
import { waitFor } from '../cluster/wait.ts';
import type { KubeObject } from '../../src/kube/objects.ts';
import type { SmallGround } from './small-ground.ts';

/** Removes all pods, claims and volumes, so that the next part starts like the first. */
export async function clearAway({ kube, watched }: SmallGround): Promise<void> {
  for (const kind of ['Pod', 'PersistentVolumeClaim']) {
    const objects = await kube.list<KubeObject>(kind);
    await forEachParallel(objects, 32, (one) => kube.delete(kind, one.metadata?.name ?? ''));
  }
  await waitFor('all volumes to be gone', () => watched.volumeCount === 0, { timeoutMs: 300_000 });
}
