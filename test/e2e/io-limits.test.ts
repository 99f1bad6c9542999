import { expect } from 'chai';

import type { Cluster } from '../cluster/cluster.ts';
import type { RealNode } from '../cluster/real-node.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type { Pod as PodObject } from '../../src/kube/objects.ts';
import { type ControlRole, Installation, nodeFolders, type Role } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { claim, MiB, pod, storageClass, storagePool } from '../support/objects.ts';

/** Limits of volumes on a node with a real kubelet: real containers are slowed down by the kernel. */
describe('limits for reading and writing on a real node', function () {
  this.timeout(120_000);
  const rate = 4 * MiB;
  const written = 16;
  /** A disk that gives less than this without a limit proves nothing. */
  const leastRatio = 3;
  let cluster: Cluster;
  let kube: Kube;
  let berth: Installation;
  let control: ControlRole;
  let node: RealNode;
  let agent: Role;

  before(async function () {
    this.timeout(180_000);
    cluster = await startCluster();
    kube = new Kube(cluster);
    berth = await Installation.on(cluster);
    control = await berth.startControl();
    await berth.startScheduler(control);
    [node] = (await cluster.startKubelets(['n1'], { folders: nodeFolders })) as [RealNode];
    agent = await berth.startAgent(node);
    await berth.startWebhook();
    await kube.create(storagePool('fast', '512Mi'));
    await kube.create(storageClass('free', { pool: 'fast' }));
    await kube.create(
      storageClass('slow', {
        pool: 'fast',
        writeBytesPerSecond: '4Mi',
        readBytesPerSecond: '4Mi',
        readIops: '1000',
      }),
    );
    await berth.poolsReported('fast', ['n1']);
  });

  after(async () => {
    await cluster.stop();
  });

  it('slow a pod down to what the class says, and no other pod', async () => {
    await use('free', 'free');
    await use('slow', 'slow');
    await limited('slow');

    const [unlimited, slow] = [await writeTime('free'), await writeTime('slow')];

    expect(slow).to.be.within(atLeast(), 10 * atLeast());
    expect(slow / unlimited).to.be.above(leastRatio);
    expect(await readTime('slow')).to.be.above(atLeast());
  });

  it('are shown in the LocalVolume, in the metrics and nowhere else', async () => {
    expect((await volumeOf('slow')).status?.ioLimits).to.deep.equal({ applied: true, pods: 1 });
    expect((await volumeOf('free')).status?.ioLimits).to.equal(undefined);
    expect((await volumeOf('slow')).spec.ioLimits).to.deep.equal({
      writeBytesPerSecond: rate,
      readBytesPerSecond: rate,
      readIops: 1000,
    });
    expect(await (await fetch(`${agent.ops}/metrics`)).text()).to.contain(
      'berth_node_io_limited_volumes{applied="true"} 1',
    );
  });

  it('hold for the containers that come after a restart', async () => {
    await restartContainer('slow');

    expect(await writeTime('slow')).to.be.above(atLeast());
  });

  it('hold while there is no agent, and for containers that began meanwhile', async () => {
    await agent.program.kill();
    expect(await writeTime('slow')).to.be.above(atLeast());
    await restartContainer('slow');
    agent = await berth.startAgent(node);

    await waitFor('the limits to hold', async () => (await writeTime('slow')) >= atLeast(), {
      timeoutMs: 30_000,
    });
  });

  it('hold for a raw device', async () => {
    const raw = claim('raw', 'slow', '64Mi') as { spec: object };
    await kube.create({ ...raw, spec: { ...raw.spec, volumeMode: 'Block' } });
    const user = pod('raw', { claims: ['raw'] }) as { spec: { containers: object[] } };
    const [container] = user.spec.containers;
    const devices = { volumeMounts: [], volumeDevices: [{ name: 'raw', devicePath: '/disk' }] };
    const spec = { ...user.spec, containers: [{ ...container, ...devices }] };
    await kube.create({ ...user, spec });
    await kube.running('raw');
    await limited('raw');

    expect(
      await timed('raw', `dd if=/dev/zero of=/disk bs=1M count=${written} oflag=direct`),
    ).to.be.above(atLeast());
    // kubelet holds a raw device through a loop device of its own, which only it takes away.
    await kube.delete('Pod', 'raw');
    await kube.gone('Pod', 'raw');
  });

  it('are shown no more once the pod is gone', async () => {
    await kube.delete('Pod', 'slow');
    await kube.gone('Pod', 'slow');

    await waitFor(
      'nothing to be shown',
      async () => (await volumeOf('slow')).status?.ioLimits === undefined,
      { timeoutMs: 20_000 },
    );
  });

  it('that cannot be set are told, with the cause', async () => {
    await agent.program.stop();
    agent = await berth.startAgent(node, { flags: ['--cgroup-dir', '/var/lib/berth'] });
    await kube.create(pod('again', { claims: ['slow'] }));
    await kube.running('again');
    const { name } = (await volumeOf('slow')).metadata;

    const told = await kube.event(name, 'IoLimitsNotApplied', 60_000);

    expect(told).to.contain('/var/lib/berth');
    expect((await volumeOf('slow')).status?.ioLimits).to.deep.include({ applied: false, pods: 1 });
    const metrics = await (await fetch(`${agent.ops}/metrics`)).text();
    expect(metrics).to.match(/berth_node_io_limited_volumes\{applied="false"\} [12]/);
  });

  /** What the limit makes of the writes, less the burst that the kernel lets through at first. */
  function atLeast(): number {
    return (written * MiB * 1000) / rate / 2;
  }

  async function use(name: string, className: string): Promise<void> {
    await kube.create(claim(name, className, '64Mi'));
    // Ends when it is told to: the first process of a container ignores signals by default.
    const command = 'trap "exit 1" TERM; while true; do sleep 1000 & wait; done';
    await kube.create(pod(name, { claims: [name], command }));
    await kube.running(name);
  }

  function writeTime(name: string): Promise<number> {
    return timed(name, `dd if=/dev/zero of=/${name}/file bs=1M count=${written} oflag=direct`);
  }

  function readTime(name: string): Promise<number> {
    return timed(name, `dd if=/${name}/file of=/dev/null bs=1M count=${written} iflag=direct`);
  }

  /** Milliseconds, as the pod sees them: starting a program in it takes a while. */
  async function timed(name: string, command: string): Promise<number> {
    const clock = 'read up _ < /proc/uptime; echo $up';
    const text = await exec(name, `${clock}; ${command} 2>/dev/null || exit 1; ${clock}`);
    const [start, end] = text.trim().split('\n').map(Number) as [number, number];
    return (end - start) * 1000;
  }

  async function limited(name: string): Promise<void> {
    await waitFor(
      `the limits of ${name} to be shown`,
      async () => (await volumeOf(name)).status?.ioLimits?.applied === true,
      { timeoutMs: 20_000 },
    );
  }

  async function volumeOf(claimName: string): Promise<LocalVolumeObject> {
    const volumes = await kube.list<LocalVolumeObject>('LocalVolume');
    const found = volumes.find(({ spec }) => spec.claimRef.name === claimName);
    if (found === undefined) {
      throw new Error(`claim ${claimName} has no LocalVolume`);
    }
    return found;
  }

  /** Ends the container; kubelet starts another one in the same pod. */
  async function restartContainer(name: string): Promise<void> {
    const before = await containerOf(name);
    await exec(name, 'kill 1').catch(() => '');
    await waitFor(
      'another container',
      async () => {
        const now = await containerOf(name);
        return now !== undefined && now !== before;
      },
      { timeoutMs: 60_000 },
    );
  }

  /** The running container, once there is one. */
  async function containerOf(name: string): Promise<string | undefined> {
    const { status } = await kube.get<PodObject>('Pod', name);
    const [container] = status?.containerStatuses ?? [];
    return container?.state?.running === undefined ? undefined : container.containerID;
  }

  async function exec(name: string, command: string): Promise<string> {
    const args = ['exec', name, '--', 'sh', '-c', command];
    return cluster.kubectl(args, { timeoutMs: 60_000 });
  }
});
