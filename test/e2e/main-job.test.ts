import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'chai';

import type { Cluster } from '../cluster/cluster.ts';
import { detach, loopsBelow } from '../cluster/leftover-disks.ts';
import type { RealNode } from '../cluster/real-node.ts';
import { runCommand } from '../cluster/run-command.ts';
import { defaultSchedulerConfig } from '../cluster/scheduler.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type { Pod as PodObject } from '../../src/kube/objects.ts';
import { type ControlRole, Installation, nodeFolders, type Role } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { claim, MiB, pod, statefulSet, storageClass, storagePool } from '../support/objects.ts';

/**
 * The whole of Berth on three nodes with real kubelets: control plane, scheduler, webhook,
 * agents, loop devices, filesystems and containers are the real ones.
 */
describe('Berth on real nodes', function () {
  this.timeout(120_000);
  const names = ['n1', 'n2', 'n3'];
  let cluster: Cluster;
  let kube: Kube;
  let berth: Installation;
  let control: ControlRole;
  const nodes = new Map<string, RealNode>();
  const agents = new Map<string, Role>();

  before(async function () {
    this.timeout(180_000);
    cluster = await startCluster();
    kube = new Kube(cluster);
    berth = await Installation.on(cluster);
    control = await berth.startControl();
    await berth.startScheduler(control);
    const config = defaultSchedulerConfig(cluster.version);
    await cluster.startScheduler({ name: 'default', config, format: 'component' });
    const started = await cluster.startKubelets(names, { folders: nodeFolders });
    for (const node of started) {
      nodes.set(node.name, node);
      agents.set(node.name, await berth.startAgent(node));
    }
    await berth.startWebhook();
  });

  after(async () => {
    await cluster.stop();
  });

  describe('a StatefulSet of three', () => {
    const pods = ['db-0', 'db-1', 'db-2'];
    const size = 64 * MiB;

    before(async () => {
      await kube.create(storagePool('fast', '256Mi'));
      await kube.create(storageClass('fast', { pool: 'fast' }));
      await berth.poolsReported('fast', names);
      await kube.create(statefulSet('db', { replicas: 3, className: 'fast', size: '64Mi' }));
      await kube.running(...pods);
    });

    it('runs with a disk each, spread over the nodes', async () => {
      const where = await Promise.all(pods.map((name) => kube.nodeOf(name)));

      expect([...where].sort()).to.deep.equal(names);
    });

    it('shows the size that was asked for inside the pods', async () => {
      const sizes = await Promise.all(pods.map((name) => deviceBytes(name)));
      const shown = await Promise.all(pods.map((name) => filesystemBytes(name)));

      expect(sizes).to.deep.equal([size, size, size]);
      for (const bytes of shown) {
        expect(bytes).to.be.within(size * 0.85, size);
      }
    });

    it('gives each pod its own data', async () => {
      await Promise.all(pods.map((name) => exec(name, `echo I am ${name} > /data/who; sync`)));
      const read = await Promise.all(pods.map((name) => exec(name, 'cat /data/who')));

      expect(read.map((text) => text.trim())).to.deep.equal(pods.map((name) => `I am ${name}`));
    });

    it('lets nobody write past the size, and harms nobody else by the attempt', async () => {
      const failure = await exec('db-0', 'dd if=/dev/zero of=/data/fill bs=1M count=100').then(
        () => '',
        (error: unknown) => String(error),
      );
      await exec('db-1', 'echo fine > /data/after; sync');

      expect(failure).to.contain('No space left on device');
      expect((await exec('db-1', 'cat /data/after')).trim()).to.equal('fine');
      expect((await exec('db-0', 'cat /data/who')).trim()).to.equal('I am db-0');
      await exec('db-0', 'rm /data/fill');
    });

    it('brings a deleted pod back to its node and its data', async () => {
      const before = await kube.nodeOf('db-1');

      await kube.replacePod('db-1');

      expect(await kube.nodeOf('db-1')).to.equal(before);
      expect((await exec('db-1', 'cat /data/who')).trim()).to.equal('I am db-1');
    });

    it('brings the data back after a reboot of the node', async () => {
      const name = await kube.nodeOf('db-2');
      const node = nodes.get(name);
      const agent = agents.get(name);
      await agent?.program.kill();
      await node?.powerOff();
      await Promise.all((await devicesOf(node)).map(detach));
      // /run is in memory. A link that stayed would lead kubelet to a device that is anybody's now.
      await rm(join(node?.dir ?? '/nowhere', 'host/run/berth/volumes'), { recursive: true });
      await node?.start();
      await kube.delete('Pod', 'db-2');
      if (node) {
        agents.set(name, await berth.startAgent(node));
      }

      await kube.running('db-2');

      expect(await kube.nodeOf('db-2')).to.equal(name);
      expect((await exec('db-2', 'cat /data/who')).trim()).to.equal('I am db-2');
    });

    it('leaves nothing when the claims are deleted, and has the space back', async () => {
      await kube.delete('StatefulSet', 'db');
      await kube.gone('Pod', ...pods);
      await kube.delete('PersistentVolumeClaim', ...pods.map((name) => `data-${name}`));

      await kube.noVolumesLeft();

      await allFree('fast', names);
      for (const node of nodes.values()) {
        expect(await node.run('ls', ['/var/lib/berth/pools/fast'])).to.equal('');
        expect(await node.run('ls', ['/run/berth/volumes'])).to.equal('');
        expect(await devicesOf(node)).to.deep.equal([]);
      }
    });
  });

  describe('nodes with 18, 4 and 4 units', () => {
    const unit = 10;

    before(async () => {
      // A little more than the units, for what each volume occupies beside its data.
      await sizedPool('steer', { n1: 18 * unit + 2, n2: 4 * unit + 1, n3: 4 * unit + 1 });
    });

    after(async () => {
      await cleanUp();
    });

    it('sends a claim of 8 and one of 6 to the first, and lets one more of 8 wait', async () => {
      await use('first', 'steer', 8 * unit);
      expect(await kube.nodeOf('first')).to.equal('n1');
      await use('second', 'steer', 6 * unit);
      expect(await kube.nodeOf('second')).to.equal('n1');
      await use('third', 'steer', 8 * unit);
      await kube.create(pod('plain'));

      const event = await kube.event('third', 'BerthNoRoom');
      const scheduling = await kube.event('third', 'FailedScheduling');
      await kube.running('plain', 'first', 'second');

      expect(event).to.equal(
        'needs 80Mi in pool steer for default/third; nearest: n2 has 41Mi of 41Mi free in steer, ' +
          'n3 has 41Mi of 41Mi free in steer, n1 has 40Mi of 182Mi free in steer',
      );
      expect(scheduling).to.contain('3 berth: less than 80Mi free in pool steer');
      const { waiting } = await berth.capacity(control);
      const entry = waiting.find((one) => one.pod === 'default/third');
      expect(Object.keys(entry?.nodes ?? {})).to.have.members(names);
      expect((await kube.nodeNameOf('third')) ?? '').to.equal('');
    });
  });

  describe('five pods at once on a node with room for three', () => {
    const five = ['a', 'b', 'c', 'd', 'e'].map((letter) => `burst-${letter}`);

    before(async () => {
      await sizedPool('narrow', { n1: 103 });
    });

    after(async () => {
      await cleanUp();
    });

    it('runs exactly three, and one more for each that goes with its claim', async () => {
      await Promise.all(five.map((name) => use(name, 'narrow', 30)));

      await waitFor('three to run', async () => (await bound()).length === 3, {
        timeoutMs: 30_000,
      });
      await kube.running(...(await bound()));
      const first = await bound();
      const waiting = five.filter((name) => !first.includes(name));
      const reasons = await Promise.all(waiting.map((name) => kube.event(name, 'BerthNoRoom')));
      reasons.forEach((reason) => expect(reason).to.contain('needs 30Mi in pool narrow'));
      expect(await bound()).to.deep.equal(first);

      const [gone = ''] = first;
      await kube.delete('Pod', gone);
      await kube.delete('PersistentVolumeClaim', gone);
      await waitFor('one more to run', async () => (await bound()).length === 3, {
        timeoutMs: 30_000,
      });
      await kube.running(...(await bound()));
    });

    async function bound(): Promise<string[]> {
      const found = await Promise.all(
        five.map(async (name) => (await kube.find<PodObject>('Pod', name))?.spec?.nodeName),
      );
      return five.filter((_, i) => found[i] !== undefined);
    }
  });

  describe('a pod with three claims in two pools', () => {
    before(async () => {
      await sizedPool('left', { n1: 52, n2: 103 });
      await sizedPool('right', { n1: 52, n2: 103 });
    });

    after(async () => {
      await cleanUp();
    });

    it('goes to the node that takes all, although each claim fits on both', async () => {
      await kube.createAll([
        claim('l-1', 'left', '30Mi'),
        claim('l-2', 'left', '30Mi'),
        claim('r-1', 'right', '30Mi'),
      ]);
      await kube.create(pod('three', { claims: ['l-1', 'l-2', 'r-1'] }));
      await kube.running('three');

      expect(await kube.nodeOf('three')).to.equal('n2');
    });
  });

  /** The loop devices that hold images of a node's pools. */
  function devicesOf(node: RealNode | undefined): Promise<readonly string[]> {
    return loopsBelow(join(node?.dir ?? '/nowhere', 'host/var/lib/berth'));
  }

  async function exec(name: string, command: string): Promise<string> {
    const endsAt = performance.now() + 10_000;
    for (;;) {
      try {
        const args = ['exec', name, '--', 'sh', '-c', command];
        return await cluster.kubectl(args, { timeoutMs: 30_000 });
      } catch (error) {
        // kubelet may still be ending an older pod of that name.
        if (!String(error).includes('container not found') || performance.now() > endsAt) {
          throw error;
        }
        await sleep(200);
      }
    }
  }

  /** The size of the block device under /data, as the kernel tells it. */
  async function deviceBytes(name: string): Promise<number> {
    const device = await exec(name, 'awk \'$2 == "/data" { print $1 }\' /proc/mounts');
    const blocks = await exec(name, `cat /sys/block/${device.trim().slice(5)}/size`);
    return Number(blocks) * 512;
  }

  async function filesystemBytes(name: string): Promise<number> {
    const line = (await exec(name, 'df -k /data')).trim().split('\n').at(-1) ?? '';
    return Number(line.split(/\s+/)[1]) * 1024;
  }

  async function use(name: string, className: string, mebibytes: number): Promise<void> {
    await kube.create(claim(name, className, `${mebibytes}Mi`));
    await kube.create(pod(name, { claims: [name] }));
  }

  /** A pool whose size differs from node to node: a filesystem of that size lies under it. */
  async function sizedPool(name: string, mebibytes: Record<string, number>): Promise<void> {
    const directory = `/var/lib/berth/pools/${name}`;
    for (const [node, size] of Object.entries(mebibytes)) {
      // Mounted outside, where the harness finds it; the node sees it too.
      const outside = join(nodes.get(node)?.dir ?? '', 'host', directory);
      await runCommand('mkdir', ['-p', outside]);
      await runCommand('mount', ['-t', 'tmpfs', '-o', `size=${size}m`, name, outside]);
    }
    const labels = { [`pool-${name}`]: 'yes' };
    for (const node of Object.keys(mebibytes)) {
      await cluster.api.patch(`/api/v1/nodes/${node}`, { metadata: { labels } });
    }
    await kube.create(storagePool(name, '1Gi', labels));
    await kube.create(storageClass(name, { pool: name }));
    await berth.poolsReported(name, Object.keys(mebibytes));
  }

  async function cleanUp(): Promise<void> {
    const pods = await kube.list<LocalVolumeObject>('Pod');
    await kube.delete('Pod', ...pods.map((one) => one.metadata.name));
    const claims = await kube.list<LocalVolumeObject>('PersistentVolumeClaim');
    await kube.delete('PersistentVolumeClaim', ...claims.map((one) => one.metadata.name));
    await kube.noVolumesLeft();
  }

  async function allFree(pool: string, on: readonly string[]): Promise<void> {
    await waitFor(
      `pool ${pool} to be all free`,
      async () => {
        const reports = await Promise.all(on.map((name) => kube.report(name, pool)));
        return reports.every((report) => report?.free === report?.total);
      },
      { timeoutMs: 20_000 },
    );
  }
});
