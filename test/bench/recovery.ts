import { forEachParallel } from '../cluster/parallel.ts';
import { waitFor } from '../cluster/wait.ts';
import type { PersistentVolumeClaim } from '../../src/kube/objects.ts';
import { claim, MiB } from '../support/objects.ts';
import { type BigGround, poolName } from './big-ground.ts';
import type { Figures } from './figures.ts';

const volumeCount = 10_000;
const rounds = 5;
const width = 32;

/**
 * From the start of `berth control` after a kill until it answers the scheduler again: with the
 * nodes alone, then with volumes that have to be read first, each with its claim and
 * PersistentVolume.
 */
export async function measureRecovery(ground: BigGround, figures: Figures): Promise<void> {
  const empty = await recover(ground);
  await fill(ground);
  const full = await recover(ground);
  const baseline = { name: 'recovery.0', times: empty };
  figures.addPair(`recovery.${volumeCount}`, full, baseline);
  figures.add(`recovery.${volumeCount}.ms`, Math.max(...full), 'ms', full.length);
}

async function recover({ cluster, control }: BigGround): Promise<readonly number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await cluster.kill(control.program.spec.role);
    const startedAt = performance.now();
    control.program.spawn();
    const isReady = async (): Promise<boolean> => (await fetch(`${control.ops}/readyz`)).ok;
    await waitFor('control to be ready', isReady, { timeoutMs: 120_000, intervalMs: 10 });
    times.push(performance.now() - startedAt);
  }
  return times;
}

/**
 * The controller manager sleeps: it would bind them one by one for minutes, and what the
 * volumes of a quiet cluster look like is known.
 */
async function fill(ground: BigGround): Promise<void> {
  const numbers = Array.from({ length: volumeCount }, (_, index) => index);
  ground.cluster.pause('controller-manager');
  await forEachParallel(numbers, width, (number) => put(number, ground));
}

async function put(number: number, { cluster, kube, nodes }: BigGround): Promise<void> {
  const name = `held-${number}`;
  const node = nodes[number % nodes.length] ?? '';
  await kube.create(claim(name, poolName, '1Mi'));
  const { metadata } = await kube.get<PersistentVolumeClaim>('PersistentVolumeClaim', name);
  const claimRef = { namespace: 'default', name, uid: metadata?.uid ?? '' };
  const volumeName = `pvc-${claimRef.uid}`;
  await kube.create(localVolume(node, claimRef));
  await kube.create(persistentVolume(node, claimRef));
  const claimPath = `/api/v1/namespaces/default/persistentvolumeclaims/${name}`;
  await cluster.api.patch(claimPath, { spec: { volumeName } });
  await cluster.api.patch(`${claimPath}/status`, { status: { phase: 'Bound' } });
  const bound = { status: { phase: 'Bound' } };
  await cluster.api.patch(`/api/v1/persistentvolumes/${volumeName}/status`, bound);
}

interface ClaimRef {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

function localVolume(node: string, claimRef: ClaimRef): object {
  return {
    apiVersion: 'berth.dev/v1alpha1',
    kind: 'LocalVolume',
    metadata: {
      name: `pvc-${claimRef.uid}`,
      annotations: { 'berth.dev/published': 'true' },
      finalizers: ['berth.dev/control', 'berth.dev/agent'],
    },
    spec: {
      ...{ node, pool: poolName, bytes: MiB, volumeMode: 'Filesystem', fsType: 'ext4' },
      ...{ claimRef, erase: 'discard' },
    },
  };
}

function persistentVolume(node: string, { namespace, name, uid }: ClaimRef): object {
  const expression = { key: 'kubernetes.io/hostname', operator: 'In', values: [node] };
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      name: `pvc-${uid}`,
      annotations: { 'pv.kubernetes.io/provisioned-by': 'local.berth.dev' },
      finalizers: ['berth.dev/control'],
    },
    spec: {
      capacity: { storage: '1Mi' },
      accessModes: ['ReadWriteOnce'],
      storageClassName: poolName,
      persistentVolumeReclaimPolicy: 'Delete',
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
      local: { path: `/run/berth/volumes/pvc-${uid}` },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [expression] }] } },
    },
  };
}
