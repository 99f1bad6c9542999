import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import type { Cluster } from '../cluster/cluster.ts';
import { ApiError } from '../cluster/api-client.ts';
import { findBinaries } from '../cluster/binaries.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import type { KubeObject, PersistentVolumeClaim, Pod } from '../../src/kube/objects.ts';
import {
  mutatingPath,
  prepare,
  register,
  secretPath,
  startReplica,
  validatingPath,
  type Replica,
} from './webhook-setup.ts';

interface Registration {
  webhooks: { name: string; clientConfig: { caBundle?: string } }[];
}
interface Secret extends KubeObject {
  data: Record<string, string>;
}

const podsPath = '/api/v1/namespaces/default/pods';
const claimsPath = '/api/v1/namespaces/default/persistentvolumeclaims';
const classesPath = '/apis/storage.k8s.io/v1/storageclasses';
const poolsPath = '/apis/berth.dev/v1alpha1/storagepools';
const fast = {
  metadata: { name: 'fast' },
  provisioner: 'local.berth.dev',
  volumeBindingMode: 'WaitForFirstConsumer',
  parameters: { pool: 'fast' },
};
const poolTerm = { matchExpressions: [{ key: 'pool.berth.dev/fast', operator: 'Exists' }] };

function claim(name: string, spec: object = {}): object {
  return {
    metadata: { name },
    spec: {
      storageClassName: 'fast',
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      ...spec,
    },
  };
}

function pod(name: string, claimName: string, spec: object = {}): object {
  return {
    metadata: { name },
    spec: {
      containers: [{ name: 'main', image: 'none' }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
      ...spec,
    },
  };
}

function termsOf({ spec }: Pod) {
  return spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    ?.nodeSelectorTerms;
}

describe('berth webhook behind a real API server', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let replicas: readonly [Replica, Replica];
  let generation = 0;

  before(async () => {
    const binaries = await findBinaries();
    // Ephemeral claims are on by themselves from 1.21 on.
    const gate = binaries.version.minor < 21 ? ['GenericEphemeralVolume=true'] : [];
    cluster = await startCluster({
      binaries,
      apiserverFlags: gate.map((one) => `--feature-gates=${one}`),
    });
    const kubeconfig = await prepare(cluster);
    replicas = await Promise.all([
      startReplica(cluster, 'webhook-1', kubeconfig),
      startReplica(cluster, 'webhook-2', kubeconfig),
    ]);
    await register(cluster, ...replicas);
    await trusted();
    await create(classesPath, fast);
    await create(claimsPath, claim('data'));
  });
  after(() => cluster?.stop());

  function create<T = KubeObject>(path: string, body: object): Promise<T> {
    return cluster.api.request<T>('POST', path, { body });
  }

  async function refusal(path: string, body: object): Promise<string> {
    return create(path, body).then(
      () => 'created',
      (error: unknown) => (error instanceof ApiError ? error.message : String(error)),
    );
  }

  async function bundles(): Promise<string[]> {
    const both = await Promise.all(
      [mutatingPath, validatingPath].map((path) => cluster.api.request<Registration>('GET', path)),
    );
    return both.flatMap(({ webhooks }) =>
      webhooks.map(({ clientConfig }) =>
        Buffer.from(clientConfig.caBundle ?? '', 'base64').toString(),
      ),
    );
  }

  const secret = (): Promise<Secret> => cluster.api.request<Secret>('GET', secretPath);
  const decoded = (text = ''): string => Buffer.from(text, 'base64').toString();

  /** Waits until both webhooks are asked and answer, by asking them. */
  async function trusted(): Promise<void> {
    const ca = decoded((await secret()).data['ca.crt']);
    await waitFor(
      'the caBundle in every entry, and answers',
      async () => {
        const isFilled = (await bundles()).every((bundle) => bundle.includes(ca));
        const trial = { ...fast, metadata: { name: 'trial' }, volumeBindingMode: 'Immediate' };
        const isAsked = (await refusal(`${classesPath}?dryRun=All`, trial)).includes('only Wait');
        const { metadata } = await create<Pod>(`${podsPath}?dryRun=All`, pod('trial', 'data'));
        return isFilled && isAsked && metadata?.name === 'trial';
      },
      { timeoutMs: 20_000 },
    );
  }

  const nextName = (): string => `pod-${(generation += 1)}`;

  it('sends a pod with an unbound claim to our scheduler and to nodes with the pool', async () => {
    const created = await create<Pod>(podsPath, pod(nextName(), 'data'));

    expect(created.spec?.schedulerName).to.equal('berth-scheduler');
    expect(termsOf(created)).to.deep.equal([poolTerm]);
  });

  it('adds to each alternative that the user wrote', async () => {
    const zones = ['a', 'b'].map((zone) => ({
      matchExpressions: [{ key: 'zone', operator: 'In', values: [zone] }],
    }));
    const nodeAffinity = {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: zones },
    };

    const created = await create<Pod>(
      podsPath,
      pod(nextName(), 'data', { affinity: { nodeAffinity } }),
    );

    expect(termsOf(created)).to.deep.equal(
      zones.map(({ matchExpressions }) => ({
        matchExpressions: [...matchExpressions, ...poolTerm.matchExpressions],
      })),
    );
  });

  it('pins a pod to the volume of a bound claim', async () => {
    const { metadata } = await create<PersistentVolumeClaim>(claimsPath, claim('bound'));
    const required = {
      nodeSelectorTerms: [
        { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['n1'] }] },
      ],
    };
    await create('/api/v1/persistentvolumes', {
      metadata: {
        name: `pvc-${metadata?.uid ?? ''}`,
        annotations: { 'pv.kubernetes.io/provisioned-by': 'local.berth.dev' },
      },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'fast',
        claimRef: { namespace: 'default', name: 'bound', uid: metadata?.uid },
        local: { path: '/mnt' },
        nodeAffinity: { required },
      },
    });
    await waitFor(
      'the claim to be bound',
      async () => {
        const found = await cluster.api.request<PersistentVolumeClaim>(
          'GET',
          `${claimsPath}/bound`,
        );
        return found.status?.phase === 'Bound';
      },
      { timeoutMs: 20_000 },
    );

    // The webhook hears of it by its own watch, a moment after the API server does.
    const terms = await waitFor(
      'the place of the volume in a new pod',
      async () => {
        const path = `${podsPath}?dryRun=All`;
        const found = termsOf(await create<Pod>(path, pod('trial', 'bound')));
        return found?.[0]?.matchExpressions?.[0]?.key === 'kubernetes.io/hostname' && found;
      },
      { timeoutMs: 5_000 },
    );
    expect(terms).to.deep.equal(required.nodeSelectorTerms);
  });

  it('knows the class of an ephemeral volume from its template', async () => {
    const { spec } = claim('x') as { spec: object };
    const volumes = [{ name: 'scratch', ephemeral: { volumeClaimTemplate: { spec } } }];

    const created = await create<Pod>(podsPath, pod(nextName(), '', { volumes }));

    expect(created.spec?.schedulerName).to.equal('berth-scheduler');
  });

  it('knows a claim that was made a moment before its pod, as by a StatefulSet', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `quick-${i}`);

    const created = await Promise.all(
      names.map(async (name) => {
        await create(claimsPath, claim(name));
        return create<Pod>(podsPath, pod(name, name));
      }),
    );

    expect(new Set(created.map(({ spec }) => spec?.schedulerName))).to.deep.equal(
      new Set(['berth-scheduler']),
    );
  });

  it('leaves pods of the excluded namespaces alone, and pods without claims of ours', async () => {
    const path = '/api/v1/namespaces/kube-system';
    await create(`${path}/persistentvolumeclaims`, claim('data'));
    await waitFor(
      'a service account',
      () => cluster.api.request('GET', `${path}/serviceaccounts/default`),
      { timeoutMs: 20_000 },
    );

    const system = await create<Pod>(`${path}/pods`, pod('a', 'data'));
    const plain = await create<Pod>(podsPath, pod(nextName(), 'data', { volumes: [] }));

    for (const { spec } of [system, plain]) {
      expect(spec?.schedulerName).to.equal('default-scheduler');
      expect(spec?.affinity).to.equal(undefined);
    }
  });

  it('refuses classes, pools and claims with a message for their author', async () => {
    const slow = { ...fast, metadata: { name: 'slow' }, volumeBindingMode: 'Immediate' };
    const loop = { directory: '/var/lib/berth', size: '10Gi' };
    const pool = (spec: object): object => ({
      ...{ apiVersion: 'berth.dev/v1alpha1', kind: 'StoragePool' },
      metadata: { name: 'fast' },
      spec,
    });

    expect(await refusal(classesPath, slow)).to.contain('volumeBindingMode is \\"Immediate\\"');
    expect(await refusal(poolsPath, pool({ backend: 'loop' }))).to.contain('loop is missing');
    expect(await refusal(claimsPath, claim('many', { accessModes: ['ReadWriteMany'] }))).to.contain(
      'accessModes is [ReadWriteMany]',
    );

    await create(poolsPath, pool({ backend: 'loop', loop }));
    const moved = { spec: { loop: { directory: '/elsewhere' } } };
    const change = cluster.api.patch(`${poolsPath}/fast`, moved);
    expect(await change.catch((error: unknown) => (error as Error).message)).to.contain(
      'directory /elsewhere',
    );
    await cluster.api.patch(`${poolsPath}/fast`, { spec: { loop: { size: '20Gi' } } });
  });

  it('fills the caBundle again when somebody overwrites it', async () => {
    const patch = [{ op: 'remove', path: '/webhooks/0/clientConfig/caBundle' }];
    await cluster.api.request('PATCH', mutatingPath, {
      body: patch,
      contentType: 'application/json-patch+json',
    });

    await trusted();
  });

  /** Creates pods and claims without pause until `isOver`; each must be answered by the webhook. */
  async function createWhile(isOver: () => Promise<boolean>): Promise<number> {
    let asked = 0;
    const bad = claim('bad', { accessModes: ['ReadWriteMany'] });
    do {
      const [{ spec }, message] = await Promise.all([
        create<Pod>(`${podsPath}?dryRun=All`, pod('busy', 'data')),
        refusal(`${claimsPath}?dryRun=All`, bad),
      ]);
      // Where the webhook cannot be asked, both would simply be let through.
      expect(spec?.schedulerName, `pod ${asked}`).to.equal('berth-scheduler');
      expect(message, `claim ${asked}`).to.contain('accessModes is');
      asked += 1;
    } while (!(await isOver()));
    return asked;
  }

  const showsMade = (replica: Replica): number =>
    readFileSync(replica.program.log, 'utf8').split('"certificate shown"').length;

  const rotations: readonly [string, () => Promise<unknown>, RegExp][] = [
    [
      'its Secret is deleted',
      () => cluster.api.request('DELETE', secretPath),
      /"renewal":"renew-authority"/,
    ],
    [
      'its Secret is damaged',
      () =>
        cluster.api.patch(secretPath, {
          data: { 'tls.key': Buffer.from('garbage').toString('base64') },
        }),
      /tls.key is not a PEM private key/,
    ],
  ];
  for (const [what, disturb, told] of rotations) {
    it(`goes over to a new authority without losing one call when ${what}`, async () => {
      const before = await secret();
      const shown = replicas.map(showsMade);
      await disturb();

      const asked = await createWhile(async () =>
        replicas.every((replica, i) => showsMade(replica) > (shown[i] ?? 0)),
      );

      expect(asked).to.be.greaterThan(20);
      const after = await secret();
      expect(after.data['tls.crt']).to.not.equal(before.data['tls.crt']);
      expect(decoded(after.data['ca.crt'])).to.contain(
        decoded(before.data['ca.crt']).slice(0, 900),
      );
      expect(replicas.map(({ program }) => readFileSync(program.log, 'utf8')).join()).to.match(
        told,
      );
      await createWhile(async () => true);
    });
  }

  it('says in its metrics what it did, and when its certificates end', async () => {
    const text = await (await fetch(`${replicas[0].ops}/metrics`)).text();

    expect(text).to.match(/berth_admission_seconds_count\{path="\/mutate-pod",outcome="patched"\}/);
    expect(text).to.match(/berth_certificate_expires_at_seconds\{certificate="server"\} \d{10}/);
  });

  it('needs no more rights than its account has', () => {
    const told = replicas.map(({ program }) => readFileSync(program.log, 'utf8')).join('');

    expect(told).to.not.match(/forbidden|"level":"error"|list failed/);
  });

  it('is no obstacle to pods when it is gone; only pools wait for it', async () => {
    await Promise.all(replicas.map(({ program }) => program.stop(5_000)));

    const created = await create<Pod>(podsPath, pod(nextName(), 'data'));
    const other = { ...fast, metadata: { name: 'other' }, provisioner: 'x' };
    await create(classesPath, other);
    const change = cluster.api.patch(`${poolsPath}/fast`, { spec: { loop: { size: '30Gi' } } });

    expect(created.spec?.schedulerName).to.equal('default-scheduler');
    expect(await change.catch((error: unknown) => (error as Error).message)).to.match(
      /failed calling webhook .*pools.berth.dev/,
    );
  });
});
