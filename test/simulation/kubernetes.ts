import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../src/kube/objects.ts';
import type { Step } from './actor.ts';
import type { ApiServer, Stored } from './api-server.ts';
import { claimNames, namespace, pathOf, View } from './cluster-objects.ts';

type Claim = Stored & PersistentVolumeClaim;
type Volume = Stored & PersistentVolume;

/** What kube-controller-manager would do next about pods, claims and PersistentVolumes. */
export function controllerSteps(server: ApiServer): readonly Step[] {
  const now = new View(server);
  return [
    ...now.claims().flatMap((claim) => claimSteps(server, now, claim)),
    ...now.persistentVolumes().flatMap((volume) => volumeSteps(server, now, volume)),
    ...now.pods().flatMap((pod) => ephemeralSteps(server, now, pod)),
  ];
}

function claimSteps(server: ApiServer, now: View, claim: Claim): Step[] {
  return [...bindingSteps(server, now, claim), ...endingSteps(server, now, claim)];
}

function bindingSteps(server: ApiServer, now: View, claim: Claim): Step[] {
  const { name, uid } = claim.metadata;
  const path = pathOf('persistentvolumeclaims', name);
  const steps: Step[] = [];
  const volume = now.persistentVolumes().find(({ spec }) => spec?.claimRef?.uid === uid);
  if (!claim.spec?.volumeName && volume?.metadata.deletionTimestamp === undefined && volume) {
    const bound = pathOf('persistentvolumes', volume.metadata.name);
    steps.push(
      volume.status?.phase === 'Bound'
        ? step(`binds ${name} to ${volume.metadata.name}`, () => {
            server.patch(path, { spec: { volumeName: volume.metadata.name } });
            const capacity = volume.spec?.capacity;
            server.patch(`${path}/status`, { status: { phase: 'Bound', capacity } });
          })
        : setPhase(server, bound, 'Bound'),
    );
  }
  if (claim.spec?.volumeName && !volume && claim.status?.phase !== 'Lost') {
    steps.push(setPhase(server, path, 'Lost'));
  }
  return steps;
}

function endingSteps(server: ApiServer, now: View, claim: Claim): Step[] {
  const { name, uid } = claim.metadata;
  const path = pathOf('persistentvolumeclaims', name);
  const steps: Step[] = [];
  if (claim.metadata.deletionTimestamp !== undefined && !isUsed(now, name)) {
    steps.push(dropProtection(server, path, claim));
  }
  const owner = claim.metadata.ownerReferences?.[0];
  const isOrphan = owner && !now.pods().some((pod) => pod.metadata.uid === owner.uid);
  if (isOrphan && claim.metadata.deletionTimestamp === undefined) {
    steps.push(step(`collects claim ${name}`, () => server.delete(path, { uid })));
  }
  return steps;
}

function volumeSteps(server: ApiServer, now: View, volume: Volume): Step[] {
  const path = pathOf('persistentvolumes', volume.metadata.name);
  const phase = volume.status?.phase ?? 'Pending';
  if (phase !== 'Released' && !now.claimOf(volume.spec?.claimRef?.uid)) {
    return [setPhase(server, path, 'Released')];
  }
  const isProtected = (volume.metadata.finalizers ?? []).some(isProtection);
  if (volume.metadata.deletionTimestamp !== undefined && phase !== 'Bound' && isProtected) {
    return [dropProtection(server, path, volume)];
  }
  return phase === 'Pending' ? [setPhase(server, path, 'Available')] : [];
}

function ephemeralSteps(server: ApiServer, now: View, pod: Stored & Pod): Step[] {
  const { name: podName, uid } = pod.metadata;
  const volumes = (pod.spec?.volumes ?? []).filter(
    ({ name, ephemeral }) => ephemeral && !now.claim(`${podName}-${name}`),
  );
  return pod.metadata.deletionTimestamp === undefined
    ? volumes.map(({ name, ephemeral }) =>
        step(`makes claim ${podName}-${name}`, () => {
          const owner = { apiVersion: 'v1', kind: 'Pod', name: podName, uid, controller: true };
          const metadata = { name: `${podName}-${name}`, ownerReferences: [owner] };
          const spec = ephemeral?.volumeClaimTemplate?.spec;
          const at = `/api/v1/namespaces/${namespace}/persistentvolumeclaims`;
          server.create(at, { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata, spec });
        }),
      )
    : [];
}

/** Only a pod that has its node keeps a claim from going. */
function isUsed(now: View, claim: string): boolean {
  return now.pods().some((pod) => pod.spec?.nodeName && claimNames(pod).includes(claim));
}

function isProtection(finalizer: string): boolean {
  return finalizer.startsWith('kubernetes.io/');
}

function dropProtection(server: ApiServer, path: string, object: Stored): Step {
  const finalizers = (object.metadata.finalizers ?? []).filter((one) => !isProtection(one));
  return step(`lets ${object.metadata.name} go`, () =>
    server.patch(path, { metadata: { finalizers } }),
  );
}

function setPhase(server: ApiServer, path: string, phase: string): Step {
  return step(`${path.split('/').at(-1) ?? ''} is ${phase}`, () =>
    server.patch(`${path}/status`, { status: { phase } }),
  );
}

function step(text: string, act: () => unknown): Step {
  return { text, act: () => void act() };
}
