import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

import type { Cluster } from './cluster.ts';
import { beatFor, startHeartbeats } from './heartbeats.ts';
import { clusterDir, stateDir } from './paths.ts';
import { ownedProcesses } from './processes.ts';
import { defaultSchedulerConfig } from './scheduler.ts';
import { startCluster } from './start-cluster.ts';
import { tearDown } from './tear-down.ts';

const USAGE = `usage: main.ts up [--name NAME] [--kubelets N] [--hollow N]
       main.ts down [--name NAME | --all]
       main.ts status`;

interface Options {
  name: string;
  kubelets: number;
  hollow: number;
  all: boolean;
  server: string;
}

/** What `up` leaves for others to find: present only once the cluster is complete. */
interface Summary {
  server: string;
  version: string;
  kubeconfig: string;
  nodes: string[];
}

const commands: Readonly<Record<string, (options: Options) => Promise<void>>> = {
  up,
  down,
  status,
  heartbeats,
};

async function up(options: Options): Promise<void> {
  const dir = clusterDir(options.name);
  if (summaryOf(dir) && isAlive(dir)) {
    console.log(`cluster ${options.name} is up already`);
    describe(options.name);
    return;
  }
  // What a crash or an interrupted start left under this name is in the way, and of no use.
  await tearDown(dir);
  const startedAt = performance.now();
  const cluster = await startCluster({ name: options.name });
  try {
    const nodes = await populate(cluster, options);
    const { server, version, kubeconfig } = cluster;
    const summary: Summary = { server, version: version.text, kubeconfig, nodes };
    writeFileSync(join(dir, 'cluster.json'), JSON.stringify(summary, null, 2));
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  await cluster.detach();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`cluster ${options.name} is up after ${seconds} s`);
  describe(options.name);
}

async function populate(cluster: Cluster, options: Options): Promise<string[]> {
  const config = defaultSchedulerConfig(cluster.version);
  await cluster.startScheduler({ name: 'default', format: 'component', config });
  const names = Array.from({ length: options.kubelets }, (_, index) => `node-${index + 1}`);
  if (names.length > 0) await cluster.startKubelets(names);
  const hollow = await cluster.addHollowNodes(options.hollow);
  if (hollow.length > 0) await startHeartbeats(cluster);
  return [...names, ...hollow];
}

function describe(name: string): void {
  const dir = clusterDir(name);
  const summary = summaryOf(dir);
  if (!summary) {
    console.log(`${name}: incomplete, ${ownedProcesses(dir).length} processes`);
    return;
  }
  console.log(
    `  ${summary.version} at ${summary.server}, ${summary.nodes.length} nodes, logs in ${dir}/logs`,
  );
  console.log(`  export KUBECONFIG=${summary.kubeconfig}`);
  console.log('  kubectl get nodes');
}

function summaryOf(dir: string): Summary | undefined {
  const file = join(dir, 'cluster.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Summary) : undefined;
}

function isAlive(dir: string): boolean {
  const roles = new Set(ownedProcesses(dir).map(({ role }) => role));
  return ['etcd', 'apiserver', 'controller-manager'].every((role) => roles.has(role));
}

async function down(options: Options): Promise<void> {
  const dirs = options.all ? clusterDirs() : [clusterDir(options.name)];
  for (const dir of dirs) {
    await tearDown(dir);
    console.log(`${dir} is gone`);
  }
}

async function status(): Promise<void> {
  const dirs = clusterDirs();
  if (dirs.length === 0) console.log(`no clusters in ${stateDir()}`);
  for (const dir of dirs) {
    const name = dir.slice(stateDir().length + 1);
    console.log(`${name}: ${isAlive(dir) ? 'running' : 'not running'}`);
    describe(name);
  }
}

/** Clusters that have a folder, and those of which only processes are left. */
function clusterDirs(): string[] {
  const state = stateDir();
  const folders = existsSync(state) ? readdirSync(state).map((name) => join(state, name)) : [];
  const owners = ownedProcesses()
    .map(({ dir }) => dir)
    .filter((dir) => dirname(dir) === state);
  return [...new Set([...folders, ...owners])].sort();
}

/** Runs until it is killed with its cluster: keeps the hollow nodes of a cluster alive that `up` has left. */
async function heartbeats({ name, server }: Options): Promise<void> {
  await beatFor(clusterDir(name), server);
}

function parse(argv: string[]): { command: string | undefined; options: Options } {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      name: { type: 'string', default: 'berth' },
      kubelets: { type: 'string', default: '0' },
      hollow: { type: 'string', default: '0' },
      all: { type: 'boolean', default: false },
      server: { type: 'string', default: '' },
    },
  });
  const { name, all, server } = values;
  const counts = { kubelets: Number(values.kubelets), hollow: Number(values.hollow) };
  for (const [option, count] of Object.entries(counts)) {
    if (!Number.isInteger(count) || count < 0) throw new RangeError(`--${option}: not a number`);
  }
  return { command: positionals[0], options: { name, all, server, ...counts } };
}

try {
  const { command = '', options } = parse(process.argv.slice(2));
  const run = commands[command];
  if (!run) throw new RangeError(USAGE);
  await run(options);
  process.exit(0);
} catch (error) {
  // The whole error, with its causes: the text of a failed start ends with the log of what failed.
  console.error(error instanceof RangeError ? error.message : error);
  process.exit(1);
}
