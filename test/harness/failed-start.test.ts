import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';

import { expect } from 'chai';

import { findBinaries } from '../cluster/binaries.ts';
import { ownCommand } from '../cluster/own-command.ts';
import { clusterDir, stateDir } from '../cluster/paths.ts';
import { ownedProcesses } from '../cluster/processes.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { machineState, newSince } from './leftovers.ts';

describe('a start that does not succeed', function () {
  this.timeout(120_000);
  let untouched: string[];

  beforeEach(async () => {
    untouched = await machineState();
  });

  afterEach('left nothing behind', async () => {
    expect(await newSince(untouched)).to.deep.equal([]);
  });

  it('says which program failed and shows its log', async () => {
    const binaries = { ...(await findBinaries()), apiserver: '/bin/false' };
    const error: unknown = await startCluster({ name: 'fails', binaries }).catch((e: unknown) => e);
    expect(String(error)).to.match(/apiserver ended with status 1[^]*apiserver\.log/);
    expect(existsSync(clusterDir('fails'))).to.equal(false);
  });

  it('says so if a program cannot be started at all', async () => {
    const binaries = { ...(await findBinaries()), etcd: '/nonexistent/etcd' };
    const error: unknown = await startCluster({ name: 'fails', binaries }).catch((e: unknown) => e);
    expect(String(error)).to.contain('/nonexistent/etcd cannot be started');
  });

  it('does not take the name of a cluster that exists', async () => {
    const first = await startCluster({ name: 'taken' });
    try {
      const error: unknown = await startCluster({ name: 'taken' }).catch((e: unknown) => e);
      expect(String(error)).to.contain('a cluster of this name is up');
      expect(await first.kubectl(['get', '--raw', '/readyz'])).to.equal('ok');
    } finally {
      await first.stop();
    }
  });

  for (const moment of [
    'etcd',
    'apiserver',
    'controller-manager',
    'namespace-node-1',
    'kubelet-node-1',
  ]) {
    it(`cleans up after Ctrl-C while ${moment} starts`, async () => {
      const child = await upUntil('interrupted', moment);
      child.kill('SIGINT');
      const [code] = (await once(child, 'exit')) as [number];
      expect(code).to.equal(130);
      expect(existsSync(clusterDir('interrupted'))).to.equal(false);
    });
  }

  it('is cleaned up after the harness was killed outright', async () => {
    const child = await upUntil('killed', 'containerd-node-1');
    child.kill('SIGKILL');
    await waitFor('the guard to clean up', () => !existsSync(clusterDir('killed')), {
      timeoutMs: 30_000,
      explain: () => readdirSync(stateDir()).join(' '),
    });
  });
});

/** Runs `up` and returns as soon as the program in that role exists. */
async function upUntil(name: string, role: string): Promise<ChildProcess> {
  const [file, ...args] = ownCommand(['up', '--name', name, '--kubelets', '2']);
  const child = spawn(file, args, { stdio: 'ignore' });
  const dir = clusterDir(name);
  const exists = (): boolean => ownedProcesses(dir).some((found) => found.role === role);
  await waitFor(`${role} of ${name}`, exists, { timeoutMs: 60_000, intervalMs: 5 });
  return child;
}
