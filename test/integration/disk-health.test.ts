import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type {
  LocalVolumeObject,
  StorageNodeObject,
  StoragePoolObject,
} from '../../src/kube/custom-objects.ts';
import type { Node, PersistentVolume, Pod } from '../../src/kube/objects.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Program } from '../cluster/program.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { HollowPool } from '../support/hollow-pool.ts';
import { Installation, type ControlRole, type Role } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { claim, pod, statefulSet, storageClass, storagePool } from '../support/objects.ts';

const minute = 60_000;
const intervalMs = 500;
/** Two looks, and what the API server and a busy machine need. */
const soon = { timeoutMs: 2 * intervalMs + 10_000, intervalMs: 50 };
const patient = { timeoutMs: 2 * minute };
const agentFlags = ['--lease-renew', '500ms', '--health-interval', `${intervalMs}ms`];

describe('a disk with errors', function () {
  this.timeout(5 * minute);
  let cluster: Cluster;
  let berth: Installation;
  let control: ControlRole;
  let kube: Kube;
  const devices: string[] = [];
  const disks = new Map<string, Filesystem>();
  const agents = new Map<string, Role>();
  const nodes = ['h1', 'h2'];

  before(async function () {
    needLoopDevices(this);
    cluster = await startCluster();
    kube = new Kube(cluster);
    berth = await Installation.on(cluster);
    await cluster.addHollowNodes(nodes);
    control = await berth.startControl();
    await berth.startScheduler(control);
    await berth.startWebhook();
    for (const node of nodes) {
      const device = await makeDevice(join(cluster.dir, `${node}.disk`));
      devices.push(device);
      const mounts = { [directory]: device };
      const agent = await berth.startHollowAgent(node, { flags: agentFlags, mounts });
      agents.set(node, agent);
      disks.set(node, new Filesystem(device, directory, agent.program));
    }
    await kube.create(storagePool('disk', '64Mi'));
    await kube.createAll([
      storageClass('disk', { pool: 'disk' }),
      storageClass('hurry', { pool: 'disk', onDiskFailure: 'release-after=4s' }),
    ]);
    await berth.poolsReported('disk', nodes);
  });

  after(async () => {
    for (const { program } of agents.values()) {
      await program.kill();
    }
    for (const device of devices) {
      await runCommand('losetup', ['--detach', device]);
    }
    await cluster?.stop();
  });

  afterEach(async () => {
    await cluster.kubectl(['uncordon', ...nodes]);
  });

  const diskOf = (node: string): Filesystem => {
    const disk = disks.get(node);
    if (disk === undefined) {
      throw new Error(`no disk was made for ${node}`);
    }
    return disk;
  };

  /** The filesystem in a volume on h2, as kubelet would have made it. */
  async function madeIn(volume: string, place: HollowPool): Promise<Filesystem> {
    const point = join(cluster.dir, volume);
    const inner = new Filesystem(await place.device(volume), point, cluster.program('agent-h2'));
    await inner.make();
    return inner;
  }

  async function isHealthy(node: string): Promise<boolean | undefined> {
    const { metadata } = await kube.get<Node>('Node', node);
    const text = metadata?.annotations?.['capacity.berth.dev/disk'] ?? '{}';
    return (JSON.parse(text) as { healthy?: boolean }).healthy;
  }

  const poolIs = (node: string, healthy: boolean): Promise<unknown> =>
    waitFor(
      `the pool of ${node} to be ${healthy ? 'well' : 'ill'}`,
      async () => (await isHealthy(node)) === healthy,
      soon,
    );

  async function healthOf(volume: string) {
    return (await kube.get<LocalVolumeObject>('LocalVolume', volume)).status?.health;
  }

  const volumeIs = (volume: string, state: 'failing' | undefined): Promise<unknown> =>
    waitFor(
      `${volume} to be ${state ?? 'well'}`,
      async () => (await healthOf(volume))?.state === state,
      soon,
    );

  const annotationIs = (volume: string, text: string | undefined): Promise<unknown> =>
    waitFor(
      `PersistentVolume ${volume} to show ${text ?? 'nothing'}`,
      async () => {
        const { metadata } = await kube.get<PersistentVolume>('PersistentVolume', volume);
        return metadata?.annotations?.['berth.dev/health'] === text;
      },
      soon,
    );

  async function readyCondition() {
    const { status } = await kube.get<StoragePoolObject>('StoragePool', 'disk');
    return status?.conditions?.find(({ type }) => type === 'Ready');
  }

  it('under a pool keeps new volumes away until it is repaired, and says so everywhere', async () => {
    await cluster.kubectl(['cordon', 'h2']);
    await kube.create(claim('old', 'disk', '4Mi'));
    await kube.create(pod('old', { claims: ['old'] }));
    const old = (await kube.volumeOf('old')).metadata?.name ?? '';
    const disk = diskOf('h1');
    const device = disk.name;

    await disk.fail();

    await poolIs('h1', false);
    // The Node is written first.
    const status = await waitFor(
      'the StorageNode to say it',
      async () => {
        const { status: now } = await kube.get<StorageNodeObject>('StorageNode', 'h1');
        return now?.pools?.some(({ healthy }) => !healthy) === true ? now : undefined;
      },
      soon,
    );
    const told = status.pools?.find(({ name }) => name === 'disk')?.message ?? '';
    expect(told).to.contain(`ext4 on ${device} has met 1 error(s)`);
    expect(status.health?.map((one) => [one.device, one.state, one.reason])).to.deep.include([
      ...[device, 'failing', 'FilesystemErrors'],
    ]);
    expect(await kube.event('disk', 'PoolUnusable')).to.contain(`node h1: its disk is failing`);
    expect(await kube.event('h1', 'DiskFailing')).to.contain(`${device} (under pool disk): ext4`);
    await waitFor(
      'the condition of the pool',
      async () => (await readyCondition())?.message.includes(device),
      soon,
    );

    // What is on it is told of, stays usable and can go.
    await volumeIs(old, 'failing');
    await annotationIs(old, 'failing: FilesystemErrors');
    expect(await kube.event('old', 'VolumeFailing')).to.contain(
      `volume ${old} of claim default/old`,
    );
    expect(await kube.event('old', 'BerthVolumeFailing')).to.contain(`ext4 on ${device}`);
    await kube.delete('Pod', 'old');
    await kube.delete('PersistentVolumeClaim', 'old');
    await kube.gone('LocalVolume', old);

    // Nothing new comes to it.
    await kube.create(claim('new', 'disk', '4Mi'));
    await kube.create(pod('new', { claims: ['new'] }));
    expect(await kube.event('new', 'FailedScheduling')).to.contain('pool disk is not healthy');

    await disk.repair();

    await poolIs('h1', true);
    expect(await kube.nodeOf('new')).to.equal('h1');
    expect(await kube.event('h1', 'DiskWell')).to.contain(device);
    await waitFor('the pool to be ready', async () => (await readyCondition())?.status === 'True', {
      timeoutMs: 20_000,
    });
    await kube.delete('Pod', 'new');
    await kube.delete('PersistentVolumeClaim', 'new');
    await kube.noVolumesLeft();
  });

  it('is remembered by an agent that starts anew, and told once', async () => {
    const disk = diskOf('h1');
    await disk.fail();
    await poolIs('h1', false);
    const since = await waitFor('the StorageNode to say it', () => sinceOf('h1'), soon);
    const count = (await kube.events('h1')).filter(({ reason }) => reason === 'DiskFailing').length;

    await cluster.kill('agent-h1');
    await cluster.restart('agent-h1');
    await waitFor('two more reports', async () => (await looksOf('h1')) > 2, soon);

    expect(await isHealthy('h1')).to.equal(false);
    expect(await sinceOf('h1')).to.equal(since);
    const after = await kube.events('h1');
    expect(after.filter(({ reason }) => reason === 'DiskFailing')).to.have.lengthOf(count);
    await disk.repair();
    await poolIs('h1', true);
  });

  async function sinceOf(node: string): Promise<string | undefined> {
    const { status } = await kube.get<StorageNodeObject>('StorageNode', node);
    return status?.health?.[0]?.since;
  }

  /** How often the agent that runs there now has found something. */
  async function looksOf(node: string): Promise<number> {
    const metrics = await (await fetch(`${agents.get(node)?.ops ?? ''}/metrics`)).text();
    const found = /^berth_node_disk_errors_total\{.*reason="FilesystemErrors".*\} (\d+)$/m.exec(
      metrics,
    );
    return Number(found?.[1] ?? 0);
  }

  it('inside one volume marks the volume, its claim and its pod, and not the pool', async () => {
    const place = new HollowPool(berth, kube, 'h2');
    const volume = await place.bind('inner', 'disk', '8Mi');
    const inner = await madeIn(volume, place);
    const { name } = inner;

    await inner.fail();

    await volumeIs(volume, 'failing');
    const health = await healthOf(volume);
    expect(health?.reason).to.equal('FilesystemErrors');
    expect(health?.message).to.contain(`ext4 on ${name} has met 1 error(s)`);
    await annotationIs(volume, 'failing: FilesystemErrors');
    for (const [reason, word] of [
      ['VolumeFailing', 'node h2'],
      ['BerthVolumeFailing', '(claim inner) on node h2'],
    ] as const) {
      const text = await kube.event('inner', reason);
      expect(text).to.contain(volume);
      expect(text).to.contain(word);
      expect(text).to.contain(name);
    }
    expect(await isHealthy('h2')).to.equal(true);

    // While it is not mounted nobody knows better.
    await inner.unmount();
    await inner.check();
    expect((await healthOf(volume))?.since).to.equal(health?.since);
    await inner.mount();

    await volumeIs(volume, undefined);
    await annotationIs(volume, undefined);
    expect(await kube.event('inner', 'BerthVolumeWell')).to.contain(volume);
    await inner.unmount();
    await place.release('inner');
    await kube.noVolumesLeft();
  });

  it('is left when the class asks for it: the pod starts elsewhere', async () => {
    await kube.create(statefulSet('away', { replicas: 1, className: 'hurry', size: '4Mi' }));
    const node = await kube.nodeOf('away-0');
    const volume = (await kube.volumeOf('data-away-0')).metadata?.name ?? '';
    const { metadata } = await kube.get<Pod>('Pod', 'away-0');

    await diskOf(node).fail();

    expect(await kube.event('data-away-0', 'BerthDiskFailing', minute)).to.contain(
      'release-after=4s',
    );
    const isOld = (now: Pod | undefined) => now?.metadata?.uid === metadata?.uid;
    await waitFor(
      'away-0 to end, or to be told to',
      async () => {
        const now = await kube.find<Pod>('Pod', 'away-0');
        return !isOld(now) || now?.metadata?.deletionTimestamp !== undefined;
      },
      { ...patient, explain: () => kube.eventTexts('data-away-0') },
    );
    // As the kubelet of the node would, which lives.
    if (isOld(await kube.find<Pod>('Pod', 'away-0'))) {
      await kube.delete('Pod', 'away-0');
    }
    await waitFor(
      'away-0 to be bound elsewhere',
      async () => {
        const now = await kube.find<Pod>('Pod', 'away-0');
        return !isOld(now) && now?.spec?.nodeName;
      },
      { ...patient, explain: () => kube.eventTexts('data-away-0') },
    );
    expect(await kube.nodeOf('away-0')).not.to.equal(node);
    expect(await kube.event('data-away-0', 'BerthVolumeGivenUp')).to.contain(
      'onDiskFailure: release-after=4s',
    );
    await kube.gone('LocalVolume', volume);
    await diskOf(node).repair();
    await poolIs(node, true);
    await kube.delete('StatefulSet', 'away');
    await kube.gone('Pod', 'away-0');
    await kube.delete('PersistentVolumeClaim', 'data-away-0');
    await kube.noVolumesLeft();
  });

  it('that is repaired in time loses nothing', async () => {
    await kube.create(storageClass('patient', { pool: 'disk', onDiskFailure: 'release-after=1h' }));
    const place = new HollowPool(berth, kube, 'h2');
    const volume = await place.bind('kept', 'patient', '8Mi');
    const inner = await madeIn(volume, place);

    await inner.fail();
    await kube.event('kept', 'BerthDiskFailing');
    await inner.repair();

    expect(await kube.event('kept', 'BerthDiskWell')).to.contain('it is not given up');
    const { metadata } = await kube.get<LocalVolumeObject>('LocalVolume', volume);
    expect(metadata.annotations).not.to.have.property('berth.dev/disk-failing-since');
    await inner.unmount();
    await place.release('kept');
    await kube.noVolumesLeft();
  });
});

/** A filesystem on a device, mounted where only one agent sees it. */
class Filesystem {
  readonly #device: string;
  readonly #point: string;
  readonly #agent: Program;

  constructor(device: string, point: string, agent: Program) {
    this.#device = device;
    this.#point = point;
    this.#agent = agent;
  }

  /** Its device in the kernel. */
  get name(): string {
    return basename(this.#device);
  }

  async make(): Promise<void> {
    await runCommand('mkfs.ext4', ['-q', this.#device]);
    await runCommand('mkdir', ['-p', this.#point]);
    await this.mount();
  }

  async mount(): Promise<void> {
    await this.#inside('mount', this.#device, this.#point);
  }

  async unmount(): Promise<void> {
    await this.#inside('umount', this.#point);
  }

  async check(): Promise<void> {
    await runCommand('e2fsck', ['-fp', this.#device]).catch(fixed);
  }

  async repair(): Promise<void> {
    await this.unmount();
    await this.check();
    await this.mount();
  }

  /** As if it had met an error of its device. */
  fail(): Promise<void> {
    return writeFile(`/sys/fs/ext4/${this.name}/trigger_fs_error`, 'by a test');
  }

  #inside(...command: readonly string[]): Promise<string> {
    const pid = String(this.#agent.pid);
    return runCommand('nsenter', ['--mount', '--target', pid, ...command]);
  }
}

const directory = '/var/lib/berth/pools/disk';

/** e2fsck ends with 1 where it has repaired something. */
function fixed(error: unknown): string {
  if ((error as { exitCode?: number }).exitCode === 1) {
    return '';
  }
  throw error as Error;
}

/** A loop device with an empty ext4 in it. */
async function makeDevice(file: string): Promise<string> {
  await runCommand('truncate', ['-s', '128M', file]);
  await runCommand('mkfs.ext4', ['-q', '-m', '0', file]);
  return (await runCommand('losetup', ['--find', '--show', file])).trim();
}
