import { expect } from 'chai';
import { open, readdir, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalVolumeObject, StorageNodeObject } from '../../src/kube/custom-objects.ts';
import type { KubeEvent, Node } from '../../src/kube/objects.ts';
import { MiB } from '../../src/model/bytes.ts';
import { agentFinalizer, controlFinalizer } from '../../src/model/names.ts';
import type { PoolReport } from '../../src/model/pool.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { freePort } from '../cluster/ports.ts';
import type { Program } from '../cluster/program.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { linksIn, loopGround, needLoopDevices, type LoopGround } from '../support/loop-pool.ts';

const group = '/apis/berth.dev/v1alpha1';
const leases = '/apis/coordination.k8s.io/v1/namespaces/berth-system/leases';
const agentUser = 'system:serviceaccount:berth-system:berth-node';
const root = new URL('../..', import.meta.url).pathname;
const soon = { timeoutMs: 20_000, intervalMs: 20 };

describe('berth node', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let ground: LoopGround;
  let agent: Program;
  let count = 0;

  before(async function () {
    needLoopDevices(this);
    cluster = await startCluster({ audit: true });
    ground = await loopGround();
    for (const part of ['namespace.yaml', 'rbac/node.yaml', 'crds/localvolumes.yaml']) {
      await cluster.kubectl(['apply', '-f', `${root}/manifests/base/${part}`]);
    }
    for (const crd of ['storagenodes', 'storagepools']) {
      await cluster.kubectl(['apply', '-f', `${root}/manifests/base/crds/${crd}.yaml`]);
    }
    await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
    await cluster.addHollowNodes(['n1'], { labels: { disk: 'fast' } });
    await putPool('fast', { directory: ground.directory, size: '256Mi' });
    agent = await startAgent();
  });

  after(async () => {
    await cluster?.stop();
    await ground?.cleanUp();
  });

  async function startAgent(): Promise<Program> {
    const kubeconfig = await cluster.kubeconfigFor({
      namespace: 'berth-system',
      serviceAccount: 'berth-node',
    });
    const port = await freePort();
    return cluster.startProgram({
      role: 'node-n1',
      file: process.execPath,
      cwd: root,
      args: [
        ...['--import', 'tsx', 'src/main.ts', 'node', '--node-name=n1', '--lease-renew=1s'],
        ...[`--kubeconfig=${kubeconfig}`, `--run-dir=${ground.runDir}`, `--port=${port}`],
      ],
      ready: async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok,
    });
  }

  const putPool = (name: string, loop: object, nodeSelector = { disk: 'fast' }) => {
    const spec = { backend: 'loop', nodeSelector, loop };
    const pool = {
      apiVersion: 'berth.dev/v1alpha1',
      kind: 'StoragePool',
      metadata: { name },
      spec,
    };
    return cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(pool) });
  };

  const get = <T>(path: string) => cluster.api.request<T>('GET', path);
  const volume = (name: string) => get<LocalVolumeObject>(`${group}/localvolumes/${name}`);
  const theNode = () => get<Node>('/api/v1/nodes/n1');
  const storageNode = () => get<StorageNodeObject>(`${group}/storagenodes/n1`);

  async function report(pool = 'fast'): Promise<PoolReport> {
    const { metadata } = await theNode();
    return JSON.parse(metadata?.annotations?.[`capacity.berth.dev/${pool}`] ?? '{}') as PoolReport;
  }

  async function make(mebibytes: number, pool = 'fast'): Promise<string> {
    const name = `pvc-${String(++count).padStart(4, '0')}`;
    await cluster.api.request('POST', `${group}/localvolumes`, {
      body: {
        apiVersion: 'berth.dev/v1alpha1',
        kind: 'LocalVolume',
        metadata: {
          name,
          labels: { 'berth.dev/node': 'n1' },
          finalizers: [agentFinalizer, controlFinalizer],
        },
        spec: {
          node: 'n1',
          pool,
          bytes: mebibytes * MiB,
          volumeMode: 'Filesystem',
          fsType: 'ext4',
          claimRef: { namespace: 'default', name, uid: name },
          erase: 'discard',
        },
      },
    });
    return name;
  }

  const inPhase = (name: string, phase: string) =>
    waitFor(
      `${name} to be ${phase}`,
      async () => {
        const found = await volume(name);
        return found.status?.phase === phase && found;
      },
      { ...soon, explain: () => agent.tail() },
    );

  async function release(name: string): Promise<void> {
    await cluster.api.request('DELETE', `${group}/localvolumes/${name}`);
    const metadata = { finalizers: [agentFinalizer] };
    await cluster.api.patch(`${group}/localvolumes/${name}`, { metadata });
  }

  const gone = (name: string) =>
    waitFor(
      `${name} to be gone`,
      () =>
        volume(name).then(
          () => false,
          () => true,
        ),
      {
        ...soon,
        explain: () => agent.tail(),
      },
    );

  async function remove(...names: string[]): Promise<void> {
    await Promise.all(names.map(release));
    await Promise.all(names.map(gone));
  }

  const freeIs = (free: number) =>
    waitFor(`${free} bytes to be free`, async () => (await report()).free === free, soon);

  async function eventsAbout(name: string): Promise<string[]> {
    const { items } = await get<{ items: KubeEvent[] }>('/api/v1/events');
    return items
      .filter(({ involvedObject }) => involvedObject.name === name)
      .map(({ type, reason, message }) => `${type} ${reason} ${message}`);
  }

  /** An event follows what it tells of, and nobody waits for it. */
  const isTold = (name: string, text: string): Promise<unknown> =>
    waitFor(
      `"${text}" about ${name}`,
      async () => (await eventsAbout(name)).join().includes(text),
      {
        ...soon,
        explain: async () => (await eventsAbout(name)).join('; '),
      },
    );

  const images = async () => (await readdir(ground.directory)).sort();

  it('says what its node has, in the Node, the StorageNode and a Lease', async () => {
    await freeIs(256 * MiB);
    const { metadata } = await theNode();

    expect(metadata?.labels?.['pool.berth.dev/fast']).to.equal('loop');
    expect(await report()).to.include({ total: 256 * MiB, largest: 256 * MiB, healthy: true });
    const status = await waitFor('the StorageNode', async () => (await storageNode()).status, soon);
    expect(status.machineID).to.equal((await readFile('/etc/machine-id', 'utf8')).trim());
    expect(status.pools).to.deep.equal([
      {
        ...{ name: 'fast', backend: 'loop', healthy: true, volumes: 0 },
        ...{ total: 256 * MiB, free: 256 * MiB, largest: 256 * MiB },
      },
    ]);
    const lease = await get<{ spec: object }>(`${leases}/berth-node-n1`);
    expect(lease.spec).to.include({ holderIdentity: 'n1', leaseDurationSeconds: 120 });
  });

  it('makes a volume, says so, and counts it in a report', async () => {
    const name = await make(10);
    const { status } = await inPhase(name, 'Ready');

    expect(status).to.include({ path: join(ground.runDir, name), allocatedBytes: 11 * MiB });
    expect((await stat(status?.path ?? '')).isBlockDevice()).to.equal(true);
    await freeIs(245 * MiB);
    expect((await report()).generation).to.be.at.least(status?.generation ?? Infinity);
    await isTold(name, 'VolumeCreated');
    await remove(name);
  });

  it('removes a volume only when control has let go of it', async () => {
    const name = await make(10);
    await inPhase(name, 'Ready');
    await cluster.api.request('DELETE', `${group}/localvolumes/${name}`);
    // The agent has seen the deletion once it has made a volume that came later.
    const later = await make(1);
    await inPhase(later, 'Ready');
    expect(await images()).to.include(`${name}.img`);

    const metadata = { finalizers: [agentFinalizer] };
    await cluster.api.patch(`${group}/localvolumes/${name}`, { metadata });
    await gone(name);
    await remove(later);
    await freeIs(256 * MiB);
    expect(await images()).to.deep.equal([]);
    expect(await ground.devices()).to.deep.equal([]);
    expect(await linksIn(ground.runDir)).to.deep.equal({});
  });

  it('is the last judge: what does not fit is Failed, with the reason where people look', async () => {
    const names = await Promise.all([make(150), make(150)]);
    const phases = await Promise.all(
      names.map((name) => waitFor(name, async () => (await volume(name)).status?.phase, soon)),
    );
    expect(phases.sort()).to.deep.equal(['Failed', 'Ready']);
    const all = await Promise.all(names.map(volume));
    const failed = all.find(({ status }) => status?.phase === 'Failed');
    expect(failed?.status?.message).to.include('151Mi are needed');
    const told = await waitFor(
      'the event',
      async () => {
        const found = await eventsAbout(failed?.metadata.name ?? '');
        return found.length > 1 && found;
      },
      soon,
    );
    expect(told[0]).to.include('Warning VolumeFailed node n1');
    await remove(...names);
    await freeIs(256 * MiB);
  });

  it('makes nothing in a pool that the node does not have', async () => {
    const name = await make(1, 'tape');
    const { status } = await inPhase(name, 'Failed');

    expect(status?.message).to.include('pool tape is not on node n1');
    await remove(name);
  });

  it('starts again without a trace of it, and gives volumes their content back after a reboot', async () => {
    const names = await Promise.all([make(5), make(5), make(5)]);
    const paths = await Promise.all(
      names.map(async (name) => (await inPhase(name, 'Ready')).status?.path ?? ''),
    );
    await Promise.all(paths.map((path, n) => writeTo(path, names[n] ?? '')));
    await freeIs((256 - 18) * MiB);
    const versions = () =>
      Promise.all(
        [...names.map(volume), theNode(), storageNode()].map(
          async (object) => (await object).metadata?.resourceVersion,
        ),
      );
    await waitFor(
      'the StorageNode',
      async () => (await storageNode()).status?.pools?.[0]?.volumes === 3,
      soon,
    );
    const before = await versions();
    const devices = await linksIn(ground.runDir);

    await agent.restart();
    await leaseRenewed(2);
    expect(await linksIn(ground.runDir)).to.deep.equal(devices);
    expect(await versions()).to.deep.equal(before);

    await agent.stop();
    await ground.reboot();
    await agent.start();
    for (const [n, path] of paths.entries()) {
      expect(await readFrom(path, 8)).to.equal(names[n]);
    }
    await leaseRenewed(2);
    expect(await versions()).to.deep.equal(before);
    await remove(...names);
  });

  it('finishes after a SIGKILL what it had begun', async () => {
    const names: string[] = [];
    for (let n = 0; n < 24; n += 1) {
      names.push(await make(4));
      if (n % 8 === 5) {
        await agent.kill('SIGKILL');
        await agent.start();
      }
    }
    await Promise.all(names.map((name) => inPhase(name, 'Ready')));
    expect(await images()).to.deep.equal(names.map((name) => `${name}.img`));
    await freeIs((256 - 24 * 5) * MiB);

    await Promise.all(names.map(release));
    await agent.kill('SIGKILL');
    await agent.start();
    await Promise.all(names.map(gone));
    await freeIs(256 * MiB);
    expect(await images()).to.deep.equal([]);
    expect(await ground.devices()).to.deep.equal([]);
  });

  it('says loudly that a volume is lost, makes nothing in its place, and takes it back', async () => {
    const name = await make(5);
    await inPhase(name, 'Ready');
    const image = join(ground.directory, `${name}.img`);
    const away = join(ground.root, 'away');
    await rename(image, away);
    const { status } = await inPhase(name, 'Lost');

    expect(status?.message).to.include('LOST').and.include('node n1 in pool fast');
    expect(await images()).to.deep.equal([]);
    await isTold(name, 'Warning VolumeLost');
    await rename(away, image);
    await agent.restart();
    await inPhase(name, 'Ready');
    await remove(name);
  });

  it('shows what nobody asks for, with a date that stays, and keeps it', async () => {
    const name = await make(5);
    await inPhase(name, 'Ready');
    await cluster.api.patch(`${group}/localvolumes/${name}`, { metadata: { finalizers: null } });
    await cluster.api.request('DELETE', `${group}/localvolumes/${name}`);
    const orphans = async () => (await storageNode()).status?.orphans ?? [];
    const [orphan] = await waitFor(
      'the orphan',
      async () => (await orphans()).length > 0 && orphans(),
      soon,
    );

    expect(orphan).to.include({ pool: 'fast', name, bytes: 6 * MiB });
    await agent.restart();
    await leaseRenewed(2);
    expect(await orphans()).to.deep.equal([orphan]);
    expect(await images()).to.deep.equal([`${name}.img`]);

    await agent.stop();
    await ground.reboot();
    await rm(join(ground.directory, `${name}.img`));
    await agent.start();
    await waitFor('no orphan', async () => (await orphans()).length === 0, soon);
  });

  it('says what is wrong with a pool where people look, lives on, and sees that it was mended', async () => {
    const directory = join(ground.root, 'missing', 'pool');
    await putPool('broken', { directory, size: '64Mi' });
    const standing = async () =>
      (await storageNode()).status?.pools?.find(({ name }) => name === 'broken');
    const broken = await waitFor('the pool', standing, soon);

    expect(broken).to.include({ healthy: false, free: 0, total: 0 });
    expect(broken.message).to.include(`loop.directory is "${directory}"`);
    expect(await report('broken')).to.include({ healthy: false, free: 0, total: 0, largest: 0 });
    await isTold('broken', 'Warning PoolUnusable node n1');
    expect(await report()).to.include({ healthy: true });
    const refused = await make(1, 'broken');
    expect((await inPhase(refused, 'Failed')).status?.message).to.include(directory);
    await remove(refused);

    await putPool('broken', { directory: join(ground.root, 'there'), size: '64Mi' });
    await waitFor('the mended pool', async () => (await report('broken')).free === 64 * MiB, soon);

    await putPool('broken', { directory: ground.directory, size: '64Mi' });
    await waitFor(
      'the shared directory',
      async () => (await standing())?.healthy === false || !(await report()).healthy,
      soon,
    );

    await cluster.kubectl(['delete', 'storagepool', 'broken']);
    await waitFor(
      'the keys to go',
      async () => !('capacity.berth.dev/broken' in ((await theNode()).metadata?.annotations ?? {})),
      soon,
    );
    expect((await theNode()).metadata?.labels).to.not.have.property('pool.berth.dev/broken');
    await waitFor('the other pool', async () => (await report()).healthy, soon);
  });

  it('follows the labels of its node, and says of volumes left behind that their pool is gone', async () => {
    const name = await make(5);
    await inPhase(name, 'Ready');
    await cluster.api.patch('/api/v1/nodes/n1', { metadata: { labels: { disk: 'slow' } } });
    await waitFor('an unhealthy pool', async () => !(await report()).healthy, soon);

    expect(await report()).to.include({ free: 0, total: 0 });
    expect((await volume(name)).status?.phase).to.equal('Ready');
    await remove(name);
    await waitFor('no pool', async () => !('healthy' in (await report())), soon);
    await cluster.api.patch('/api/v1/nodes/n1', { metadata: { labels: { disk: 'fast' } } });
    await freeIs(256 * MiB);
  });

  it('publishes anew what was taken off its Node', async () => {
    const { generation } = await report();
    const annotations = { 'capacity.berth.dev/fast': null };
    await cluster.api.patch('/api/v1/nodes/n1', { metadata: { annotations } });
    await freeIs(256 * MiB);

    expect((await report()).generation).to.be.above(generation);
  });

  it('does nothing but renew its Lease while nothing happens', async () => {
    await leaseRenewed(3);
    const from = (await requests()).length;
    await leaseRenewed(4);
    const seen = (await requests()).slice(from).filter(({ verb }) => verb !== 'watch');

    expect(new Set(seen.map(({ verb, resource }) => `${verb} ${resource}`))).to.deep.equal(
      new Set(['patch leases']),
    );
  });

  interface Request {
    readonly verb: string;
    readonly resource: string;
  }

  async function requests(): Promise<Request[]> {
    const lines = (await readFile(cluster.auditLog, 'utf8')).split('\n').filter((line) => line);
    return lines
      .map((line) => JSON.parse(line) as AuditEntry)
      .filter(({ user, stage }) => user.username === agentUser && stage === 'ResponseComplete')
      .map(({ verb, objectRef }) => ({ verb, resource: objectRef?.resource ?? '' }));
  }

  async function leaseRenewed(times: number): Promise<void> {
    const renewals = async () =>
      (await requests()).filter(({ resource }) => resource === 'leases').length;
    const before = await renewals();
    await waitFor('the Lease', async () => (await renewals()) >= before + times, soon);
  }
});

interface AuditEntry {
  readonly verb: string;
  readonly stage: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly resource?: string };
}

async function writeTo(path: string, text: string): Promise<void> {
  const handle = await open(await realpath(path), 'r+');
  await handle.write(text, 0);
  await handle.sync();
  await handle.close();
}

async function readFrom(path: string, length: number): Promise<string> {
  const handle = await open(path, 'r');
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, 0);
  await handle.close();
  return buffer.toString();
}
