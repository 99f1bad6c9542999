import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { dump, loadAll } from 'js-yaml';

import { BUSYBOX_IMAGE } from '../cluster/image.ts';

const folder = join(import.meta.dirname, '../../manifests/examples');

/** What each node gives to the pool here, and what each claim asks: a demo writes no gigabytes. */
export const poolSize = '512Mi';
export const claimSize = '64Mi';
/** More than any node's pool can ever give. */
export const tooLarge = '1Gi';

export const poolName = 'fast';
/** What the pool of the examples selects its nodes by. */
export const poolLabels = { 'berth.dev/storage': 'true' };
export const className = 'berth-spread';
const setName = 'example';
export const podNames = [0, 1, 2].map((i) => `${setName}-${i}`);
export const largePod = 'too-large';

interface Pool {
  spec: { loop: { size: string } };
}

interface Claim {
  metadata: { name: string };
  spec: { storageClassName: string; resources: { requests: { storage: string } } };
}

interface StatefulSet {
  kind: string;
  metadata: { name: string };
  spec: {
    replicas: number;
    template: {
      spec: {
        terminationGracePeriodSeconds?: number;
        containers: { image: string; imagePullPolicy?: string }[];
      };
    };
    volumeClaimTemplates: Claim[];
  };
}

interface StorageClass {
  kind: string;
  metadata: { name: string };
}

export interface Examples {
  readonly pool: Pool;
  readonly classes: readonly StorageClass[];
  /** The StatefulSet and its Service. */
  readonly app: readonly object[];
}

/** The examples of the manifests, with smaller sizes and an image that needs no network. */
export function examples(): Examples {
  const [pool] = read<Pool>('storage-pool.yaml');
  const app = read<{ kind: string }>('stateful-set.yaml');
  const set = app.find(isStatefulSet);
  const [container] = set?.spec.template.spec.containers ?? [];
  const [claim] = set?.spec.volumeClaimTemplates ?? [];
  if (!pool || !set || !container || !claim) {
    throw new Error(`${folder} does not hold what the demo shows`);
  }
  pool.spec.loop.size = poolSize;
  claim.spec.resources.requests.storage = claimSize;
  Object.assign(container, { image: BUSYBOX_IMAGE, imagePullPolicy: 'Never' });
  set.spec.template.spec.terminationGracePeriodSeconds = 0;
  return { pool, classes: read<StorageClass>('storage-classes.yaml'), app };
}

function read<T>(file: string): T[] {
  return loadAll(readFileSync(join(folder, file), 'utf8')) as T[];
}

function isStatefulSet(object: { kind: string }): object is StatefulSet {
  return object.kind === 'StatefulSet';
}

/** The parts of the examples that make the difference, as YAML. */
export function essence({ pool, classes, app }: Examples): string {
  const usual = classes.find(({ metadata }) => metadata.name === className);
  const set = (app as { kind: string }[]).find(isStatefulSet);
  const [claim] = set?.spec.volumeClaimTemplates ?? [];
  const shown = [
    pool,
    usual,
    {
      kind: set?.kind,
      metadata: set?.metadata,
      spec: { replicas: set?.spec.replicas, volumeClaimTemplates: [claim] },
    },
  ];
  return shown.map((object) => dump(object, { noRefs: true, flowLevel: 4 })).join('---\n');
}
