import type { orphansPurgeSettings } from '../config/orphans-settings.ts';
import { openCluster } from '../kube/client.ts';
import { changePurge } from '../kube/purge-requests.ts';
import { formatBytes } from '../model/bytes.ts';
import { orphanKey } from '../usecases/orphans.ts';
import { RefusedError, UsageError, type Run } from './command.ts';
import { awaitAnswer, findOrphan, storageNode } from './orphan-flags.ts';

/** Lets the agent erase and remove an orphan now. */
export const orphansPurge: Run<typeof orphansPurgeSettings> = async (given, { out, signal }) => {
  const { kubeconfig, node, pool, name, erase, timeout, yes } = given;
  if (!yes) {
    throw new UsageError(`--yes is missing: this destroys the data in ${name} on node ${node}`);
  }
  const { api } = openCluster(kubeconfig);
  const orphan = await findOrphan(api, { node, pool, name });
  const entry = {
    ...{ pool, name, erase },
    ...(orphan.volumeUid !== undefined && { volumeUid: orphan.volumeUid }),
    reason: 'berth orphans purge',
    requestedAt: new Date().toISOString(),
  };
  const key = orphanKey(entry);
  await changePurge(api, node, (entries) => [
    ...entries.filter((one) => orphanKey(one) !== key),
    entry,
  ]);
  const isHere = (one: { pool: string; name: string }): boolean => orphanKey(one) === key;
  const look = async (): Promise<'gone' | undefined> => {
    const { spec, status } = (await storageNode(api, node)) ?? {};
    const isLeft = spec?.purge?.some(isHere) === true || status?.orphans?.some(isHere) === true;
    return isLeft ? undefined : 'gone';
  };
  if ((await awaitAnswer(look, timeout, signal)) === undefined) {
    throw new RefusedError(
      `${name} is still there after ${timeout / 1000} s: does the agent of ${node} run? ` +
        `kubectl describe storagenode ${node} shows what it says, and whether the request still stands`,
    );
  }
  out(`${name} is gone from node ${node}, ${formatBytes(orphan.bytes)} are free again`);
};
