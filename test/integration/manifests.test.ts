import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadAll } from 'js-yaml';
import { parseCatalog } from '../../src/config/broker-catalog.ts';
import { commands } from '../../src/commands/index.ts';
import { readSettings } from '../../src/config/settings.ts';
import type { LocalVolumeObject, StoragePoolObject } from '../../src/kube/custom-objects.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { CommandError } from '../cluster/run-command.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';

const manifests = join(import.meta.dirname, '../../manifests');
const overlays = readdirSync(join(manifests, 'overlays'));

interface Container {
  name: string;
  image: string;
  args?: string[];
  command?: string[];
  ports?: { name: string; containerPort: number }[];
  livenessProbe?: { httpGet: { port: string } };
  readinessProbe?: { httpGet: { port: string } };
}

interface Rendered {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  data?: Record<string, string>;
  spec?: {
    selector?: { matchLabels?: Record<string, string> } & Record<string, unknown>;
    ports?: { targetPort: string }[];
    template?: {
      metadata: { labels: Record<string, string> };
      spec: {
        serviceAccountName: string;
        containers: Container[];
        volumes: { configMap?: { name: string } }[];
      };
    };
  };
  webhooks?: { clientConfig: { service: { name: string; namespace: string } } }[];
}

function render(folder: string): Rendered[] {
  const text = execFileSync('kubectl', ['kustomize', join(manifests, folder)], {
    encoding: 'utf8',
    maxBuffer: 2 ** 24,
  });
  return loadAll(text) as Rendered[];
}

/** Old versions would open a port without TLS on all addresses; newer ones have none. */
const onLoopback = '--plain-address=127.0.0.1:10251';

async function printed(...args: string[]): Promise<string> {
  const lines: string[] = [];
  const signal = AbortSignal.timeout(10_000);
  const out = (text: string): void => void lines.push(text);
  await commands['scheduler-config']?.run({ args, env: {}, out, signal });
  return `${lines.join('\n')}\n`;
}

describe('the manifests', function () {
  this.timeout(30_000);

  for (const overlay of overlays) {
    describe(overlay, () => {
      let objects: Rendered[];
      let workloads: Rendered[];
      const named = (kind: string, name: string): Rendered | undefined =>
        objects.find((object) => object.kind === kind && object.metadata.name === name);

      before(() => {
        objects = render(`overlays/${overlay}`);
        workloads = objects.filter(({ spec }) => spec?.template !== undefined);
      });

      it('runs one build of Berth in every role', () => {
        const containers = workloads.flatMap(({ spec }) => spec?.template?.spec.containers ?? []);
        const ours = containers.filter(({ name }) => name !== 'kube-scheduler');

        expect(ours.map(({ args }) => args?.[0])).to.have.members(['control', 'webhook', 'node']);
        expect(new Set(ours.map(({ image }) => image)).size).to.equal(1);
      });

      it('gives each role settings that it understands', () => {
        for (const { spec } of workloads) {
          for (const { args = [] } of spec?.template?.spec.containers ?? []) {
            const [word = '', ...flags] = args;
            const command = commands[word];
            if (command) {
              const env = { BERTH_NODE_NAME: 'worker-1' };
              const read = readSettings(command.settings, flags, env);
              expect(read.ok ? [] : read.error).to.deep.equal([]);
            }
          }
        }
      });

      it('names accounts and configuration that exist', () => {
        for (const { spec } of workloads) {
          const { serviceAccountName = '', volumes = [] } = spec?.template?.spec ?? {};
          expect(named('ServiceAccount', serviceAccountName)).to.not.equal(undefined);
          for (const { configMap } of volumes) {
            expect(configMap === undefined || named('ConfigMap', configMap.name)).to.be.ok;
          }
        }
      });

      it('probes ports that the container has', () => {
        for (const { spec } of workloads) {
          for (const container of spec?.template?.spec.containers ?? []) {
            const ports = container.ports?.map(({ name }) => name);
            expect(ports).to.include(container.livenessProbe?.httpGet.port);
            expect([...(ports ?? []), undefined]).to.include(
              container.readinessProbe?.httpGet.port,
            );
          }
        }
      });

      it('selects the pods that it makes', () => {
        for (const { spec } of workloads) {
          expect(spec?.template?.metadata.labels).to.include(spec?.selector?.matchLabels);
        }
      });

      it('calls webhooks by a Service with pods behind it', () => {
        const configurations = objects.filter(({ webhooks }) => webhooks !== undefined);
        const services = configurations.flatMap(({ webhooks = [] }) =>
          webhooks.map(({ clientConfig }) => clientConfig.service.name),
        );

        expect(configurations).to.have.length(2);
        for (const name of services) {
          const labels = named('Deployment', 'berth-webhook')?.spec?.template?.metadata.labels;
          expect(labels).to.include(named('Service', name)?.spec?.selector);
        }
      });
    });
  }

  describe('the broker, which any of them can take', () => {
    let objects: Rendered[];
    const templateOf = (all: readonly Rendered[]) =>
      all.find(({ kind }) => kind === 'Deployment')?.spec?.template;
    const containerOf = (all: readonly Rendered[]) => templateOf(all)?.spec.containers[0];

    before(() => {
      objects = render('components/broker');
    });

    it('runs the same build, with settings that it understands', () => {
      const container = containerOf(objects);
      const [word = '', ...flags] = container?.args ?? [];
      const read = readSettings(commands[word]?.settings ?? {}, flags, {});

      expect(word).to.equal('broker');
      expect(read.ok ? [] : read.error).to.deep.equal([]);
      expect(container?.image).to.equal(containerOf(render('overlays/own-scheduler'))?.image);
    });

    const one = (kind: string): Rendered | undefined =>
      objects.find((object) => object.kind === kind);

    it('has a Service and an account', () => {
      const template = templateOf(objects);

      expect(template?.metadata.labels).to.include(one('Service')?.spec?.selector);
      expect(template?.spec.serviceAccountName).to.equal(one('ServiceAccount')?.metadata.name);
    });

    it('has an example of a catalog, which can be read', () => {
      const catalog = parseCatalog(one('ConfigMap')?.data?.['catalog.yaml'] ?? '');

      expect(catalog.ok ? [] : catalog.error).to.deep.equal([]);
    });
  });

  it('ship what berth scheduler-config prints, for the scheduler of our own', async () => {
    const versions = {
      'own-scheduler': '1.25',
      'own-scheduler-with-rules': '1.25',
      'own-scheduler-1.20': '1.20',
      'own-scheduler-1.22': '1.22',
      'own-scheduler-1.23': '1.23',
    };
    for (const [overlay, version] of Object.entries(versions)) {
      const map = render(`overlays/${overlay}`).find(({ kind }) => kind === 'ConfigMap');

      const wanted = await printed(`--kubernetes=${version}`, '--leader-elect', onLoopback);

      expect(map?.data?.['scheduler.yaml']).to.equal(wanted);
    }
  });

  it('ship what berth scheduler-config prints, for the scheduler of the cluster', async () => {
    const folder = join(manifests, 'overlays/cluster-scheduler/kube-scheduler');
    for (const file of readdirSync(folder)) {
      const [, version = '', isPolicy] = /^(1\.\d+)(-policy)?\.yaml$/.exec(file) ?? [];

      const wanted = await printed(
        `--kubernetes=${version}`,
        '--mode=shared',
        '--kubeconfig=/etc/kubernetes/scheduler.conf',
        onLoopback,
        ...(isPolicy ? ['--format=policy'] : []),
      );

      expect(readFileSync(join(folder, file), 'utf8'), file).to.equal(wanted);
    }
  });
});

const pool: StoragePoolObject = {
  apiVersion: 'berth.dev/v1alpha1',
  kind: 'StoragePool',
  metadata: { name: 'fast' },
  spec: {
    nodeSelector: { 'berth.dev/storage': 'true' },
    backend: 'loop',
    loop: { directory: '/var/lib/berth/fast', size: '100Gi' },
  },
};

const full: StoragePoolObject = {
  ...pool,
  spec: { ...pool.spec, reserve: '12.5%', maxVolumes: 100 },
};

const volume: LocalVolumeObject = {
  apiVersion: 'berth.dev/v1alpha1',
  kind: 'LocalVolume',
  metadata: { name: 'pvc-1b671a64-40d5-491e-99b0-da01ff1f3341' },
  spec: {
    node: 'worker-1.example.org',
    pool: 'fast',
    bytes: 1_073_741_824,
    volumeMode: 'Filesystem',
    fsType: 'ext4',
    mkfsOptions: ['-m', '0', '-E', 'lazy_itable_init=0'],
    claimRef: {
      namespace: 'default',
      name: 'data-example-0',
      uid: '1b671a64-40d5-491e-99b0-da01ff1f3341',
    },
    erase: 'discard',
  },
};

/** The object with one field set, or removed where the value is undefined. */
function changed(object: object, path: string, value: unknown): object {
  const copy = JSON.parse(JSON.stringify(object)) as Record<string, unknown>;
  const fields = path.split('.');
  const last = fields.pop() ?? '';
  let at = copy;
  for (const field of fields) {
    at = at[field] as Record<string, unknown>;
  }
  at[last] = value;
  return copy;
}

describe('the manifests in a real API server', function () {
  this.timeout(60_000);
  let cluster: Cluster;

  before(async function () {
    this.timeout(900_000);
    cluster = await startCluster();
    await cluster.kubectl(['apply', '-k', join(manifests, 'base/crds')]);
    await cluster.kubectl([
      'wait',
      '--for=condition=Established',
      'crd/storagepools.berth.dev',
      'crd/storagenodes.berth.dev',
      'crd/localvolumes.berth.dev',
      'crd/brokerinstances.berth.dev',
    ]);
  });

  after(async () => {
    await cluster.stop();
  });

  const create = (object: object, ...flags: string[]): Promise<string> =>
    cluster.kubectl(['create', '--validate=false', ...flags, '-f', '-'], {
      input: JSON.stringify(object),
    });

  async function refusal(object: object): Promise<string> {
    try {
      await create(object, '--dry-run=server');
      return 'accepted';
    } catch (error) {
      return error instanceof CommandError ? error.stderr : String(error);
    }
  }

  const badPools: [string, string, unknown, string][] = [
    ['an unknown backend', 'spec.backend', 'zfs', 'spec.backend: Unsupported value: "zfs"'],
    ['no backend', 'spec.backend', undefined, 'spec.backend: Required value'],
    ['no block for its backend', 'spec.loop', undefined, 'spec.loop: Required value'],
    ['no size', 'spec.loop.size', undefined, 'spec.loop.size: Required value'],
    ['a negative size', 'spec.loop.size', '-5Gi', 'spec.loop.size'],
    ['a size of nothing', 'spec.loop.size', '0', 'spec.loop.size'],
    ['a size of no unit known', 'spec.loop.size', '5GB', 'spec.loop.size'],
    ['a fraction of bytes', 'spec.loop.size', 1.5, 'must be of type integer,string'],
    ['a relative directory', 'spec.loop.directory', 'berth', 'spec.loop.directory'],
    ['a directory that climbs', 'spec.loop.directory', '/var/../etc', 'spec.loop.directory'],
    ['an unknown allocation', 'spec.loop.allocation', 'thick', 'Unsupported value: "thick"'],
    ['a selector that selects nothing', 'spec.devices', {}, 'spec.devices'],
    ['an empty list of disks', 'spec.devices', { ids: [] }, 'spec.devices.ids'],
    ['a least size in words', 'spec.devices', { minSize: 'big' }, 'spec.devices.minSize'],
    ['a reserve of everything', 'spec.reserve', '100%', 'spec.reserve'],
    ['a reserve in words', 'spec.reserve', 'half', 'spec.reserve'],
    ['a negative number of volumes', 'spec.maxVolumes', -1, 'spec.maxVolumes'],
    ['an impossible label', 'spec.nodeSelector', { a: 'b c' }, 'spec.nodeSelector.a'],
  ];
  for (const [what, path, value, message] of badPools) {
    it(`refuses a StoragePool with ${what}`, async () => {
      expect(await refusal(changed(pool, path, value))).to.contain(message);
    });
  }

  const badVolumes: [string, string, unknown, string][] = [
    ['negative bytes', 'spec.bytes', -1, 'spec.bytes'],
    ['no bytes', 'spec.bytes', 0, 'greater than or equal to 1'],
    ['fractional bytes', 'spec.bytes', 1.5, 'spec.bytes'],
    ['more bytes than can be counted', 'spec.bytes', 2 ** 53, 'less than or equal to'],
    ['bytes in words', 'spec.bytes', '1Gi', 'spec.bytes'],
    ['a pool name of 41 characters', 'spec.pool', 'p'.repeat(41), 'spec.pool'],
    ['a pool name that is no label', 'spec.pool', 'Fast', 'spec.pool'],
    ['no node', 'spec.node', undefined, 'spec.node: Required value'],
    ['an unknown filesystem', 'spec.fsType', 'zfs', 'Unsupported value: "zfs"'],
    ['an unknown erase policy', 'spec.erase', 'burn', 'Unsupported value: "burn"'],
    ['an unknown volume mode', 'spec.volumeMode', 'Tape', 'Unsupported value: "Tape"'],
    ['no uid of its claim', 'spec.claimRef.uid', undefined, 'spec.claimRef.uid: Required value'],
  ];
  for (const [what, path, value, message] of badVolumes) {
    it(`refuses a LocalVolume with ${what}`, async () => {
      expect(await refusal(changed(volume, path, value))).to.contain(message);
    });
  }

  it('keeps a StoragePool and its status as they are, and shows them', async () => {
    const status: StoragePoolObject['status'] = {
      nodes: 2,
      total: 2 ** 40,
      free: 2 ** 39,
      largest: 2 ** 38,
      volumes: 7,
      nodeStates: [
        {
          ...{ node: 'worker-1', healthy: true, total: 2 ** 40, free: 2 ** 39, largest: 2 ** 38 },
          ...{ volumes: 7, disksUsed: 2, disksRefused: 1, disksMissing: 0, warnings: ['hot'] },
        },
      ],
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'AllNodes',
          message: 'all is well',
          lastTransitionTime: '2030-01-01T00:00:00Z',
          observedGeneration: 1,
        },
      ],
    };
    await create(full);
    const path = '/apis/berth.dev/v1alpha1/storagepools/fast';

    await cluster.api.patch(`${path}/status`, { status });

    const stored = await cluster.api.request<StoragePoolObject>('GET', path);
    expect(stored.spec).to.deep.equal({
      ...full.spec,
      loop: { ...pool.spec.loop, allocation: 'preallocated' },
    });
    expect(stored.status).to.deep.equal(status);
    const shown = await cluster.kubectl(['get', 'bp', 'fast', '--no-headers']);
    expect(shown.trim().split(/ +/).slice(0, 8)).to.deep.equal(
      ['fast', 'loop', 2, 2 ** 40, 2 ** 39, 2 ** 38, 7, 'True'].map(String),
    );
  });

  it('keeps every field of a pool of disks', async () => {
    const lists = { ids: ['wwn-*'], paths: ['/dev/sd*'], models: ['* SSD'], transports: ['nvme'] };
    const devices = { ...lists, rotational: false, minSize: '100Gi', maxSize: 2 ** 40 };
    const wished = { ...pool.spec, devices, reserve: 2 ** 30, maxVolumes: 0 };
    const object = { ...pool, metadata: { name: 'disks' }, spec: wished };

    const made = JSON.parse(await create(object, '--dry-run=server', '-o', 'json')) as typeof pool;

    expect(made.spec).to.deep.include({ devices, reserve: 2 ** 30, maxVolumes: 0 });
  });

  it('takes a size as a bare number too', async () => {
    const object = changed(changed(pool, 'spec.loop.size', 2 ** 34), 'metadata.name', 'bare');

    expect(await create(object, '--dry-run=server')).to.contain('created');
  });

  it('keeps a StorageNode as an agent writes it, and shows it', async () => {
    const path = '/apis/berth.dev/v1alpha1/storagenodes';
    const status = {
      machineID: 'b08dfa6083e7567a1921a715000001fb',
      agentVersion: '0.1.0',
      generation: 12,
      pools: [
        {
          name: 'fast',
          backend: 'loop',
          healthy: false,
          message: 'the directory is missing',
          total: 100,
          free: 40,
          largest: 40,
          volumes: 1,
          disks: [
            { id: 'wwn-0x5', path: '/dev/sdb', bytes: 100, state: 'used' },
            { id: 'wwn-0x6', bytes: 100, state: 'missing', message: 'it is not there' },
          ],
          warnings: ['a disk is missing'],
        },
      ],
      devices: [
        {
          ...{ id: 'wwn-0x5', stable: true, path: '/dev/sdb', links: ['/dev/disk/by-id/x'] },
          ...{ model: 'M', serial: 'S', wwn: '0x5', bytes: 100, sectorBytes: 512 },
          ...{ rotational: false, transport: 'nvme', readOnly: false, removable: false },
          ...{ partitionTable: 'gpt', holders: ['/dev/dm-0'], mountPoints: ['/data'] },
          partitions: [{ path: '/dev/sdb1', bytes: 50, signature: 'ext4' }],
          ...{ signature: 'gpt', pool: 'fast', available: false, reason: 'it is taken' },
        },
      ],
      orphans: [
        {
          pool: 'fast',
          name: 'pvc-x',
          bytes: 60,
          reason: 'no LocalVolume of that name',
          since: '2030-01-01T00:00:00.000Z',
        },
      ],
    };
    const object = {
      apiVersion: 'berth.dev/v1alpha1',
      kind: 'StorageNode',
      metadata: { name: 'worker-1' },
    };
    await create(object);

    await cluster.api.patch(`${path}/worker-1/status`, { status });

    const stored = await cluster.api.request<{ status: unknown }>('GET', `${path}/worker-1`);
    expect(stored.status).to.deep.equal(status);
    const shown = await cluster.kubectl(['get', 'bn', 'worker-1', '--no-headers']);
    expect(shown.trim().split(/ +/).slice(0, 6)).to.deep.equal(
      ['worker-1', 'fast', false, 40, 'pvc-x', 12].map(String),
    );
  });

  it('keeps a LocalVolume as it is, and lets its status change without its spec', async () => {
    const status: LocalVolumeObject['status'] = {
      phase: 'Ready',
      path: '/run/berth/volumes/pvc-1',
      allocatedBytes: 1_077_936_128,
      generation: 4,
    };
    await create(volume);
    const path = `/apis/berth.dev/v1alpha1/localvolumes/${volume.metadata.name}`;

    await cluster.api.patch(`${path}/status`, { status, spec: { bytes: 5 } });

    const stored = await cluster.api.request<LocalVolumeObject>('GET', path);
    expect(stored.spec).to.deep.equal(volume.spec);
    expect(stored.status).to.deep.equal(status);
    const shown = await cluster.kubectl(['get', 'bv', '--no-headers']);
    expect(shown).to.match(/worker-1\.example\.org +fast +1073741824 +Ready +default +data-ex/);
  });

  it('finds everything of Berth by its category', async () => {
    expect(await cluster.kubectl(['get', 'berth', '-o', 'name'])).to.contain('storagepool');
  });

  it('explains itself', async () => {
    const text = await cluster.kubectl(['explain', 'storagepool.spec.loop.size']);

    expect(text).to.contain('What all volumes of the pool may occupy');
  });

  it('is accepted as a whole, both ways of wiring the scheduler', async () => {
    const { minor } = cluster.version;
    const own = minor <= 21 ? '-1.20' : minor === 22 ? '-1.22' : minor <= 24 ? '-1.23' : '';
    const fitting = [`own-scheduler${own}`, `cluster-scheduler${minor === 20 ? '-1.20' : ''}`];
    await cluster.kubectl(['apply', '-f', join(manifests, 'base/namespace.yaml')]);
    for (const overlay of fitting) {
      const objects = render(`overlays/${overlay}`);

      const said = await cluster.kubectl([
        ...['apply', '--dry-run=server', '-k', join(manifests, 'overlays', overlay)],
      ]);

      expect(said.trim().split('\n')).to.have.length(objects.length);
    }
    const examples = ['create', '--dry-run=server', '-f'];
    for (const file of ['storage-classes.yaml', 'stateful-set.yaml']) {
      await cluster.kubectl([...examples, join(manifests, 'examples', file)]);
    }
  });

  it('holds specs fixed by rules, where the API server knows rules', async () => {
    const crds = render('overlays/own-scheduler-with-rules').filter(
      ({ kind }) => kind === 'CustomResourceDefinition',
    );
    expect(JSON.stringify(crds).match(/x-kubernetes-validations/g)).to.have.length(4);
    if (cluster.version.minor < 25) {
      return;
    }
    const list = { apiVersion: 'v1', kind: 'List', items: crds };
    await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(list) });
    const replaced = async (object: object): Promise<string> => {
      const flags = ['replace', '--dry-run=server', '-f', '-'];
      return cluster.kubectl(flags, { input: JSON.stringify(object) }).catch(String);
    };

    await waitFor(
      'the rules to be in force',
      async () => (await replaced(changed(volume, 'spec.bytes', 5))).includes('never shrinks'),
      { timeoutMs: 20_000 },
    );

    expect(await replaced(changed(volume, 'spec.mkfsOptions', ['-m', '5']))).to.contain(
      'made once',
    );
    const moved = await replaced(changed(pool, 'spec.loop.directory', '/var/lib/berth/slow'));
    expect(moved).to.contain('the directory of a pool never changes');
    const long = changed(pool, 'metadata.name', 'p'.repeat(41));
    expect(await refusal(long)).to.contain('at most 40 characters');
  });

  it('is created for real, and its webhooks never stop the pods of others', async () => {
    const { minor } = cluster.version;
    const overlay = `own-scheduler${minor === 20 ? '-1.20' : ''}`;
    await cluster.kubectl(['apply', '-k', join(manifests, 'overlays', overlay)]);
    const body = {
      metadata: { name: 'of-others' },
      spec: { automountServiceAccountToken: false, containers: [{ name: 'main', image: 'none' }] },
    };

    await waitFor(
      'a pod, though no webhook answers',
      () => cluster.api.request('POST', '/api/v1/namespaces/default/pods', { body }),
      { timeoutMs: 30_000 },
    );

    const refused = await refusal(changed(pool, 'metadata.name', 'unchecked'));
    expect(refused).to.contain('pools.berth.dev');
    await cluster.kubectl(['delete', '--wait=false', '-k', join(manifests, 'overlays', overlay)]);
  });
});
