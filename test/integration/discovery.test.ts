import { expect } from 'chai';
import { mkdir, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StorageNodeObject } from '../../src/kube/custom-objects.ts';
import type { PersistentVolume } from '../../src/kube/objects.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { defaultSchedulerConfig } from '../cluster/scheduler.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { Installation, type ControlRole, type Role } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { claim, MiB, pod, storageClass } from '../support/objects.ts';

/** Long enough for another control to take the lead, too. */
const soon = { timeoutMs: 60_000, intervalMs: 20 };
/** For the agent of the hollow node; below what it has a folder of its own for. */
const directory = '/var/lib/berth/found';
const className = 'found';

function isStanding({ metadata, status }: PersistentVolume, phase: string): boolean {
  return status?.phase === phase && metadata?.deletionTimestamp === undefined;
}

function isAt({ metadata, spec }: PersistentVolume, path: string, notUid: string): boolean {
  return spec?.local?.path === path && metadata?.uid !== notUid;
}

describe('media that are found', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let kube: Kube;
  let berth: Installation;
  let control: ControlRole;
  let agent: Role;
  let outside: string;
  const undo: (() => Promise<unknown>)[] = [];

  before(async function () {
    needLoopDevices(this);
    cluster = await startCluster();
    const config = defaultSchedulerConfig(cluster.version);
    await cluster.startScheduler({ name: 'default', config, format: 'component' });
    kube = new Kube(cluster);
    berth = await Installation.on(cluster);
    const root = berth.hollowFolder('h1', '/var/lib/berth');
    // What is mounted here later reaches the agent, as with HostToContainer in its DaemonSet.
    await runCommand('mount', ['--bind', root, root]);
    undo.push(() => runCommand('umount', ['--recursive', root]));
    await runCommand('mount', ['--make-shared', root]);
    outside = join(root, 'found');
    await mkdir(outside);
    await cluster.addHollowNodes(['h1'], { labels: { 'kubernetes.io/hostname': 'h1.local' } });
    await kube.create(foundClass(className));
    control = await berth.startControl();
    agent = await berth.startHollowAgent('h1', {
      flags: ['--discovery-look', '50ms'],
      propagation: 'slave',
    });
    await kube.create(pool('found', {}));
  });

  after(async () => {
    await cluster?.stop();
    for (const step of undo.reverse()) {
      await step().catch(() => undefined);
    }
  });

  const foundClass = (name: string, reclaimPolicy = 'Delete') => ({
    ...storageClass(name, {}),
    provisioner: 'kubernetes.io/no-provisioner',
    reclaimPolicy,
  });

  const pool = (name: string, options: object) => ({
    apiVersion: 'berth.dev/v1alpha1',
    kind: 'StoragePool',
    metadata: { name },
    spec: {
      backend: 'discovery',
      discovery: { directory, storageClassName: className, ...options },
    },
  });

  /** A file with nothing in it behind a loop device. */
  async function device(name: string, mebibytes = 16): Promise<string> {
    const file = join(cluster.dir, `${name}.img`);
    await writeFile(file, '');
    await truncate(file, mebibytes * MiB);
    const path = (await runCommand('losetup', ['--find', '--show', file])).trim();
    undo.push(() => runCommand('losetup', ['--detach', path]));
    return path;
  }

  async function mountedDisk(name: string, mebibytes = 16): Promise<string> {
    const path = await device(name, mebibytes);
    await runCommand('mkfs.ext4', ['-q', '-m', '0', path]);
    await mkdir(join(outside, name));
    await runCommand('mount', [path, join(outside, name)]);
    return path;
  }

  const volumes = () => kube.list<PersistentVolume>('PersistentVolume');

  const volumeAt = (name: string, phase = 'Available', notUid = ''): Promise<PersistentVolume> =>
    waitFor(
      `a volume of ${name} that is ${phase}`,
      async () =>
        (await volumes()).find(
          (one) => isStanding(one, phase) && isAt(one, `${directory}/${name}`, notUid),
        ),
      { ...soon, explain },
    );

  const explain = async () =>
    JSON.stringify(
      [
        (await volumes()).map(({ metadata, spec, status }) => ({ metadata, spec, status })),
        await kube.find<StorageNodeObject>('StorageNode', 'h1'),
      ],
      null,
      1,
    ) + agent.program.tail();

  const noVolumeAt = (name: string) =>
    waitFor(
      `no volume of ${name}`,
      async () =>
        !(await volumes()).some(({ spec }) => spec?.local?.path === `${directory}/${name}`),
      { ...soon, explain },
    );

  /** A pod and its claim, bound by the ordinary scheduler. */
  async function use(name: string, size = '1Mi'): Promise<PersistentVolume> {
    await kube.create(claim(name, className, size));
    await kube.create(pod(name, { claims: [name] }));
    const volume = await kube.volumeOf(name);
    expect(await kube.nodeOf(name)).to.equal('h1');
    return volume;
  }

  async function release(name: string): Promise<void> {
    await kube.delete('Pod', name);
    await kube.delete('PersistentVolumeClaim', name);
  }

  it('are offered whole, bound by the ordinary scheduler, cleaned, and offered anew', async () => {
    await mountedDisk('disk1');
    const first = await volumeAt('disk1');
    const { metadata = {}, spec = {} } = first;
    expect(spec.storageClassName).to.equal(className);
    expect(spec.persistentVolumeReclaimPolicy).to.equal('Delete');
    expect(JSON.stringify(spec.nodeAffinity)).to.include('h1.local');
    expect(metadata.labels?.['berth.dev/pool']).to.equal('found');

    const bound = await use('one', '4Mi');
    expect(bound.metadata?.uid).to.equal(metadata.uid);
    await writeFile(join(outside, 'disk1', '.secret'), 'of the first');
    await release('one');

    const second = await volumeAt('disk1', 'Available', metadata.uid);
    expect(second.metadata?.name).to.equal(metadata.name);
    expect(await readdir(join(outside, 'disk1'))).to.deep.equal(['lost+found']);
    expect(await kube.event(metadata.name ?? '', 'MediumCleaned')).to.include('1 files');
    const { spec: asked } = await kube.get<StorageNodeObject>('StorageNode', 'h1');
    expect(asked?.clean).to.deep.equal([]);
  });

  it('are withdrawn when they vanish, and told of when somebody has them', async () => {
    const path = await mountedDisk('disk2', 40);
    const place = join(outside, 'disk2');
    await volumeAt('disk2');
    await runCommand('umount', [place]);
    await noVolumeAt('disk2');
    await runCommand('mount', [path, place]);
    await volumeAt('disk2');
    const { metadata } = await use('two', '20Mi');
    const name = metadata?.name ?? '';
    await writeFile(join(place, 'precious'), 'data');
    await runCommand('umount', [place]);
    expect(await kube.event(name, 'MediumMissing')).to.include('not there any more');
    expect(await kube.event('two', 'MediumMissing')).to.include('disk2');
    expect((await kube.volumeOf('two')).status?.phase).to.equal('Bound');

    // Its claim goes while the medium is away: the volume does not stay for ever, and what was
    // on the medium is gone before anybody gets it.
    await writeFile(join(place, 'underneath'), 'not of the medium');
    await release('two');
    await kube.gone('PersistentVolume', name);
    const { spec } = await kube.get<StorageNodeObject>('StorageNode', 'h1');
    expect(spec?.clean?.map(({ volume }) => volume)).to.deep.equal([name]);
    expect(await readdir(place)).to.deep.equal(['underneath']);
    await runCommand('mount', [path, place]);
    const back = await volumeAt('disk2', 'Available', metadata?.uid);
    expect(back.metadata?.name).to.equal(name);
    expect(await readdir(place)).to.deep.equal(['lost+found']);
  });

  for (const victim of ['agent', 'control'] as const) {
    it(`are clean before they are offered again although the ${victim} is killed meanwhile`, async () => {
      await volumeAt('disk1');
      await use('killed', '4Mi');
      const { spec, metadata } = await kube.volumeOf('killed');
      const name = spec?.local?.path?.split('/').at(-1) ?? '';
      for (let n = 0; n < 300; n += 1) {
        await writeFile(join(outside, name, `file-${n}`), 'x');
      }
      const { program } = victim === 'agent' ? agent : control;
      await release('killed');
      await waitFor(
        'cleaning to be asked or done',
        async () => {
          const node = await kube.get<StorageNodeObject>('StorageNode', 'h1');
          return (
            (node.spec?.clean?.length ?? 0) > 0 || (await readdir(join(outside, name))).length < 300
          );
        },
        { ...soon, intervalMs: 1 },
      );
      await program.kill('SIGKILL');
      await program.start();
      await volumeAt(name, 'Available', metadata?.uid);
      expect(await readdir(join(outside, name))).to.deep.equal(['lost+found']);
      const all = (await volumes()).map((one) => one.spec?.local?.path);
      expect(new Set(all).size).to.equal(all.length);
    });
  }

  it('may be devices, by links, and a device is offered once however often it is linked', async () => {
    const path = await device('raw');
    await symlink(path, join(outside, 'link-b'));
    const first = await volumeAt('link-b');
    await symlink(path, join(outside, 'link-a'));
    const moved = await volumeAt('link-a');
    await noVolumeAt('link-b');
    expect(moved.metadata?.name).to.equal(first.metadata?.name);
    expect(moved.spec?.capacity).to.deep.equal({ storage: '16Mi' });
    await rm(join(outside, 'link-b'));
    await rm(join(outside, 'link-a'));
    await noVolumeAt('link-a');
  });

  it('of the static provisioner are left alone, then taken over on a word', async () => {
    await cluster.api.patch('/apis/berth.dev/v1alpha1/storagepools/found', {
      spec: { discovery: { namePattern: 'old*' } },
    });
    await noVolumeAt('disk1');
    const old = {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: {
        name: 'local-pv-1234',
        annotations: { 'pv.kubernetes.io/provisioned-by': 'local-volume-provisioner-h1-uid' },
      },
      spec: {
        capacity: { storage: '13Mi' },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Delete',
        storageClassName: className,
        local: { path: `${directory}/old1` },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              {
                matchExpressions: [
                  { key: 'kubernetes.io/hostname', operator: 'In', values: ['h1.local'] },
                ],
              },
            ],
          },
        },
      },
    };
    await kube.create(old);
    await mountedDisk('old1');
    await mountedDisk('old2');
    await use('migrated', '4Mi');
    await writeFile(join(outside, 'old1', 'data'), 'x');
    await waitFor(
      'the pool to say why',
      async () => {
        const { status } = await kube.get<{ status?: { conditions?: { message: string }[] } }>(
          'StoragePool',
          'found',
        );
        return status?.conditions?.[0]?.message.includes('local-pv-1234');
      },
      soon,
    );
    expect((await volumes()).map(({ metadata }) => metadata?.name)).to.deep.equal([
      'local-pv-1234',
    ]);

    await cluster.api.patch('/apis/berth.dev/v1alpha1/storagepools/found', {
      spec: { discovery: { takeOver: true } },
    });
    await volumeAt('old2');
    expect((await kube.volumeOf('migrated')).metadata?.name).to.equal('local-pv-1234');
    await release('migrated');
    const ours = await volumeAt('old1');
    expect(ours.metadata?.name).to.match(/^disk-/);
    expect(await readdir(join(outside, 'old1'))).to.deep.equal(['lost+found']);
    await kube.gone('PersistentVolume', 'local-pv-1234');
  });

  it('keep their data with Retain until somebody deletes the volume', async () => {
    await kube.create(foundClass('kept', 'Retain'));
    await cluster.api.patch('/apis/berth.dev/v1alpha1/storagepools/found', {
      spec: { discovery: { namePattern: 'old2', storageClassName: 'kept' } },
    });
    await waitFor(
      'a volume of class kept',
      async () => (await volumeAt('old2')).spec?.storageClassName === 'kept',
      soon,
    );
    await kube.create(claim('keeper', 'kept', '4Mi'));
    await kube.create(pod('keeper', { claims: ['keeper'] }));
    const { metadata } = await kube.volumeOf('keeper');
    await writeFile(join(outside, 'old2', 'kept'), 'x');
    await release('keeper');
    await volumeAt('old2', 'Released');
    await kube.delete('PersistentVolume', metadata?.name ?? '');
    await volumeAt('old2', 'Available', metadata?.uid);
    expect(await readdir(join(outside, 'old2'))).to.include('kept');
  });

  it('make no volumes for a class that names their pool to cut from', async () => {
    await kube.create(storageClass('mistaken', { pool: 'found' }));
    await kube.create(claim('none', 'mistaken', '1Mi'));
    const user = pod('none', { claims: ['none'] }) as { spec: object };
    await kube.create({ ...user, spec: { ...user.spec, nodeName: 'h1' } });
    const text = await kube.event('none', 'BerthProvisioningFailed');
    expect(text).to.include('backend discovery');
    await release('none');
  });

  it('go with their pool, which waits for those in use', async () => {
    await kube.delete('StoragePool', 'found');
    await kube.gone('StoragePool', 'found');
    expect(await volumes()).to.deep.equal([]);
  });
});
