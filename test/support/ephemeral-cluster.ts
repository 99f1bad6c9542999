import { findBinaries } from '../cluster/binaries.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';

/** The last version that has generic ephemeral volumes, but not switched on. */
const lastWithGate = 20;

/** A cluster with generic ephemeral volumes, also where the version has to be told. */
export async function startEphemeralCluster(): Promise<Cluster> {
  const { version } = await findBinaries();
  const gates =
    version.minor <= lastWithGate ? ['--feature-gates=GenericEphemeralVolume=true'] : [];
  return startCluster({ apiserverFlags: gates, controllerManagerFlags: gates });
}
