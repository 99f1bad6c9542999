import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import type { Cluster } from '../cluster/cluster.ts';
import { BUSYBOX_IMAGE } from '../cluster/image.ts';
import type { RealNode } from '../cluster/real-node.ts';
import { runCommand } from '../cluster/run-command.ts';
import { defaultSchedulerConfig } from '../cluster/scheduler.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { machineState, newSince } from './leftovers.ts';

describe('nodes with real kubelets', function () {
  this.timeout(240_000);
  let untouched: string[];
  let cluster: Cluster;
  let nodes: RealNode[];
  let readyMs: number;

  before(async () => {
    untouched = await machineState();
    cluster = await startCluster();
    const config = defaultSchedulerConfig(cluster.version);
    await cluster.startScheduler({ name: 'default', format: 'component', config });
    const startedAt = performance.now();
    nodes = await cluster.startKubelets(['n1', 'n2', 'n3']);
    readyMs = performance.now() - startedAt;
  });

  after(() => cluster.stop());

  it('are Ready soon', () => {
    console.log(`      three nodes Ready after ${(readyMs / 1000).toFixed(1)} s`);
    expect(readyMs).to.be.below(40_000);
  });

  it('run a pod on each, with logs and exec', async () => {
    await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(daemonSet()) });
    await cluster.kubectl(['rollout', 'status', 'daemonset/everywhere', '--timeout=90s']);
    for (const pod of await podNames()) {
      expect(await cluster.kubectl(['logs', pod])).to.equal('hello\n');
      expect(await cluster.kubectl(['exec', pod, '--', 'cat', '/etc/hostname'])).to.contain(
        'everywhere',
      );
    }
  });

  it('see what is mounted on the machine below their directory', async () => {
    const [node] = nodes as [RealNode];
    const image = join(node.directory, 'disk.img');
    const target = join(node.directory, 'mounted');
    mkdirSync(target);
    await runCommand('truncate', ['-s', '64M', image]);
    await runCommand('mkfs.ext4', ['-q', image]);
    await runCommand('mount', ['-o', 'loop', image, target]);
    expect(await node.run('ls', [target])).to.contain('lost+found');
  });

  it('keep their pods while the kubelet is restarted', async () => {
    const [node] = nodes as [RealNode];
    await node.stop();
    expect(await node.ctr(['tasks', 'ls', '-q'])).not.to.equal('');
    await node.start();
  });

  it('start their pods again after a power cut', async () => {
    const [node] = nodes as [RealNode];
    await node.powerOff();
    expect(node.kubelet.running).to.equal(false);
    await node.start();
    await waitFor('the pod of n1 to run again', async () => (await tasksOf(node)) >= 2, {
      timeoutMs: 60_000,
    });
    await cluster.kubectl(['rollout', 'status', 'daemonset/everywhere', '--timeout=90s']);
  });

  it('run beside those of another cluster', async () => {
    const other = await startCluster();
    try {
      await other.startKubelets(['n1']);
      expect(await other.kubectl(['get', 'nodes', '-o', 'name'])).to.equal('node/n1\n');
    } finally {
      await other.stop();
    }
    const pods = await podNames();
    expect(await cluster.kubectl(['exec', pods[0] ?? '', '--', 'echo', 'alive'])).to.equal(
      'alive\n',
    );
  });

  it('leave nothing behind', async () => {
    await cluster.stop();
    expect(existsSync(cluster.dir)).to.equal(false);
    expect(await newSince(untouched)).to.deep.equal([]);
  });

  async function podNames(): Promise<string[]> {
    const output = await cluster.kubectl(['get', 'pods', '-l', 'app=everywhere', '-o', 'name']);
    return output.split('\n').filter(Boolean);
  }
});

/** How many containers run, sandboxes included. */
async function tasksOf(node: RealNode): Promise<number> {
  const tasks = await node.ctr(['tasks', 'ls']);
  return tasks.split('\n').filter((line) => line.includes('RUNNING')).length;
}

function daemonSet(): object {
  const labels = { app: 'everywhere' };
  const container = {
    name: 'c',
    image: BUSYBOX_IMAGE,
    imagePullPolicy: 'Never',
    command: ['sh', '-c', 'echo hello; trap "exit 0" TERM; while :; do sleep 1; done'],
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'everywhere' },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  };
}
