import type { ClaimName, orphansAdoptSettings } from '../config/orphans-settings.ts';
import type { KubeApi } from '../kube/api.ts';
import { readClaim } from '../kube/claim-store.ts';
import { toClaim, toVolumeClass } from '../kube/claims.ts';
import { openCluster } from '../kube/client.ts';
import type { LocalVolumeObject } from '../kube/custom-objects.ts';
import { readLive } from '../kube/live.ts';
import { ensureLocalVolume } from '../kube/local-volumes.ts';
import type { PersistentVolumeClaim, StorageClass } from '../kube/objects.ts';
import { resourcePath } from '../kube/paths.ts';
import { liveOwners } from '../kube/purge-requests.ts';
import { formatBytes } from '../model/bytes.ts';
import { claimText, type Claim } from '../model/claim.ts';
import { adoptsAnnotation, volumeName } from '../model/names.ts';
import { formatQuantity } from '../model/quantity.ts';
import type { Result } from '../model/result.ts';
import type { VolumeMode } from '../model/volume.ts';
import {
  adoptable,
  adoptingSpec,
  asClass,
  checkAdoptingClaim,
  checkAdoptingClass,
  type AdoptableOrphan,
} from '../usecases/adopt-orphan.ts';
import { RefusedError, type Run } from './command.ts';
import { awaitAnswer, findOrphan } from './orphan-flags.ts';

/** Gives the data of an orphan back to a claim. */
export const orphansAdopt: Run<typeof orphansAdoptSettings> = async (given, { out, signal }) => {
  const { api } = openCluster(given.kubeconfig);
  const found = allow(adoptable(given.node, await findOrphan(api, given)));
  const before = await readClaim(api, given.claim);
  const className = wantedClass(given.class, before);
  const classPath = resourcePath('storageclasses', { name: className });
  const object = await readLive<StorageClass>(api, classPath);
  const parameters = allow(checkAdoptingClass(found, className, object && toVolumeClass(object)));
  const orphan = asClass(found, parameters);
  await refuseIfTaken(api, orphan, before);
  const taker =
    before ?? (await makeClaim(api, given.claim, orphan, { className, mode: given.volumeMode }));
  allow(checkAdoptingClaim(orphan, taker));
  await makeVolume(api, orphan, taker, adoptingSpec(orphan, taker, parameters));
  await awaitBound(api, taker, given.timeout, signal);
  const size = formatBytes(orphan.usableBytes);
  out(
    `claim ${claimText(taker.ref)} has the ${size} of ${orphan.name} on node ${orphan.node}: volume ${volumeName(taker.ref.uid)}`,
  );
};

/** @throws RefusedError with the text of a "no" */
function allow<T>(result: Result<T, string>): T {
  if (!result.ok) {
    throw new RefusedError(result.error);
  }
  return result.value;
}

function wantedClass(asked: string, claim: Claim | undefined): string {
  if (claim === undefined && asked === '') {
    throw new RefusedError('the claim does not exist: --class says of which class it is made');
  }
  const own = claim ? (claim.className ?? '') : asked;
  if (asked !== '' && asked !== own) {
    throw new RefusedError(`the claim is of class "${own}", not of class ${asked}`);
  }
  return own;
}

async function makeClaim(
  api: KubeApi,
  { namespace, name }: ClaimName,
  orphan: AdoptableOrphan,
  { className, mode }: { className: string; mode: VolumeMode },
): Promise<Claim> {
  const path = resourcePath('persistentvolumeclaims', { namespace });
  const made = await api.create<PersistentVolumeClaim>(path, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace, annotations: { [adoptsAnnotation]: orphan.name } },
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: className,
      volumeMode: mode,
      resources: { requests: { storage: formatQuantity(orphan.usableBytes) } },
    },
  });
  return toClaim(made);
}

/** @throws RefusedError where the orphan is, or becomes, a volume of anything but the claim */
async function refuseIfTaken(
  api: KubeApi,
  orphan: AdoptableOrphan,
  claim: Claim | undefined,
): Promise<void> {
  const owner = await liveOwners(api, orphan.node).find([orphan]);
  if (owner !== undefined && owner.name !== (claim && volumeName(claim.ref.uid))) {
    const text = claimText(owner.spec.claimRef);
    throw new RefusedError(`LocalVolume ${owner.name} of claim ${text} has ${orphan.name} already`);
  }
}

/** @throws RefusedError where the claim has another volume already */
async function makeVolume(
  api: KubeApi,
  orphan: AdoptableOrphan,
  { ref }: Claim,
  spec: ReturnType<typeof adoptingSpec>,
): Promise<void> {
  const name = volumeName(ref.uid);
  const { spec: there, metadata } = await ensureLocalVolume(api, name, spec);
  if (there.adopts?.volumeUid !== orphan.volumeUid || metadata.deletionTimestamp !== undefined) {
    throw new RefusedError(
      `claim ${claimText(ref)} has LocalVolume ${name} already, which does not adopt ${orphan.name}`,
    );
  }
}

/** @throws RefusedError where the agent says no, or nobody says anything in time */
async function awaitBound(
  api: KubeApi,
  { ref }: Claim,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const path = resourcePath('localvolumes', { name: volumeName(ref.uid) });
  let said = 'its agent has said nothing yet';
  const bound = await awaitAnswer(
    async () => {
      const { status } = (await readLive<LocalVolumeObject>(api, path)) ?? {};
      said = status?.message ?? said;
      const claim = await readClaim(api, ref);
      if (status?.phase === 'Failed' || claim?.ref.uid !== ref.uid) {
        throw new RefusedError(
          `the data is kept as an orphan: ${claim ? said : 'the claim is gone'}`,
        );
      }
      return claim.volumeName === '' ? undefined : claim;
    },
    timeoutMs,
    signal,
  );
  if (bound === undefined) {
    throw new RefusedError(
      `claim ${claimText(ref)} is not bound after ${timeoutMs / 1000} s, it goes on by itself: ${said}`,
    );
  }
}
