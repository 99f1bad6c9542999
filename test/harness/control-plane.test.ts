import { existsSync, readFileSync } from 'node:fs';

import { expect } from 'chai';

import type { Cluster } from '../cluster/cluster.ts';
import { runCommand } from '../cluster/run-command.ts';
import { defaultSchedulerConfig } from '../cluster/scheduler.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { machineState, newSince } from './leftovers.ts';

describe('a local control plane', function () {
  this.timeout(120_000);
  let untouched: string[];
  let cluster: Cluster;
  let startMs: number;

  before(async () => {
    untouched = await machineState();
    const startedAt = performance.now();
    cluster = await startCluster({ audit: true });
    startMs = performance.now() - startedAt;
    const config = defaultSchedulerConfig(cluster.version);
    await cluster.startScheduler({ name: 'default', format: 'component', config });
  });

  after(() => cluster.stop());

  it('is ready soon', () => {
    console.log(`      control plane ready after ${(startMs / 1000).toFixed(1)} s`);
    expect(startMs).to.be.below(20_000);
  });

  it('answers the administrator', async () => {
    expect(await cluster.kubectl(['get', '--raw', '/readyz'])).to.equal('ok');
  });

  it('gives a service account no more than its rights', async () => {
    const name = { namespace: 'default', serviceAccount: 'default' };
    const kubeconfig = await cluster.kubeconfigFor(name);
    const question = ['auth', 'can-i', 'list', 'nodes', `--kubeconfig=${kubeconfig}`];
    const answer = await runCommand(cluster.binaries.kubectl, question).catch(String);
    expect(answer).to.contain('no');
  });

  it('runs a second scheduler beside the first', async () => {
    const config = `${defaultSchedulerConfig(cluster.version)}profiles: [{schedulerName: second}]\n`;
    const second = await cluster.startScheduler({ name: 'second', format: 'component', config });
    expect(second.running).to.equal(true);
    await second.stop();
  });

  it('has hollow nodes that pods are bound to by the real scheduler', async () => {
    const labels = (name: string): Record<string, string> => ({ 'berth.test/name': name });
    const names = await cluster.addHollowNodes(20, { labels });
    expect(names).to.have.length(20);
    await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(podFor('hollow-7')) });
    await cluster.kubectl(['wait', 'pod/chosen', '--for=condition=PodScheduled', '--timeout=30s']);
    const node = await cluster.kubectl(['get', 'pod/chosen', '-o', 'jsonpath={.spec.nodeName}']);
    expect(node).to.equal('hollow-7');
    await cluster.hollow.remove(names);
    expect((await cluster.kubectl(['get', 'nodes', '-o', 'name'])).trim()).to.equal('');
  });

  it('writes who did what into the audit log', () => {
    const entries = readFileSync(cluster.auditLog, 'utf8').trim().split('\n');
    const write = entries.map(toAuditEntry).find(({ verb }) => verb === 'create');
    expect(write).to.have.property('objectRef');
  });

  it('keeps its objects when its parts are killed and started again', async () => {
    await cluster.kubectl(['create', 'configmap', 'kept']);
    await cluster.kill('apiserver');
    await cluster.kill('etcd');
    await cluster.restart('etcd');
    await cluster.restart('apiserver');
    expect(await cluster.kubectl(['get', 'configmap', 'kept', '-o', 'name'])).to.contain('kept');
  });

  it('answers nothing while paused, and goes on afterwards', async () => {
    cluster.pause('apiserver');
    const asked = cluster.kubectl(['get', '--raw', '/readyz', '--request-timeout=1s']);
    expect(await asked.catch(() => 'no answer')).to.equal('no answer');
    cluster.resume('apiserver');
    await waitFor('an answer', () => cluster.kubectl(['get', '--raw', '/readyz']), {
      timeoutMs: 20_000,
    });
  });

  it('runs beside another one', async () => {
    const other = await startCluster();
    try {
      expect(other.server).not.to.equal(cluster.server);
      expect(await other.kubectl(['get', '--raw', '/readyz'])).to.equal('ok');
    } finally {
      await other.stop();
    }
  });

  it('leaves nothing behind', async () => {
    await cluster.stop();
    expect(existsSync(cluster.dir)).to.equal(false);
    expect(await newSince(untouched)).to.deep.equal([]);
  });
});

function toAuditEntry(line: string): { verb: string } {
  return JSON.parse(line) as { verb: string };
}

function podFor(node: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'chosen' },
    spec: {
      nodeSelector: { 'berth.test/name': node },
      containers: [{ name: 'c', image: 'none.test/none' }],
    },
  };
}
