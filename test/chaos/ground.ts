import { join } from 'node:path';

import type { Cluster } from '../cluster/cluster.ts';
import { findBinaries } from '../cluster/binaries.ts';
import type { Program } from '../cluster/program.ts';
import { defaultSchedulerConfig } from '../cluster/scheduler.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { Installation } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { MiB, storageClass, storagePool } from '../support/objects.ts';
import { FaultFolder } from '../support/fault-folder.ts';
import type { Places } from './world.ts';

/** All that a run needs, up and ready. */
export interface Ground {
  readonly cluster: Cluster;
  readonly places: Places;
  readonly classes: readonly string[];
  /** By role. */
  readonly programs: ReadonlyMap<string, Program>;
  readonly faults: FaultFolder;
}

const nodes = ['n1', 'n2', 'n3'];
/** Short, so that what waits for them comes within a round. */
const controlFlags = [
  ...['--node-silent-after', '8s'],
  ...['--ready-timeout', '6s', '--abandoned-after', '12s'],
];
const agentFlags = ['--lease-renew', '2s'];

export async function openGround(): Promise<Ground> {
  const binaries = await findBinaries();
  // Claims of generic ephemeral volumes are made by themselves from 1.21 on.
  const gates = binaries.version.minor < 21 ? ['--feature-gates=GenericEphemeralVolume=true'] : [];
  const cluster = await startCluster({
    binaries,
    // Nobody beats for hollow nodes while the API server is away, and that is not the subject here.
    nodeMonitorGraceSeconds: 3600,
    controllerManagerQps: 200,
    apiserverFlags: gates,
    controllerManagerFlags: gates,
  });
  try {
    return await equip(cluster, gates);
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

async function equip(cluster: Cluster, gates: readonly string[]): Promise<Ground> {
  const berth = await Installation.on(cluster);
  const kube = new Kube(cluster);
  const faults = new FaultFolder(join(cluster.dir, 'faults'));
  const { env } = faults;
  await cluster.addHollowNodes(nodes);
  const control = await berth.startControl({ flags: controlFlags, env, name: 'control-one' });
  const second = await berth.startControl({ flags: controlFlags, env, name: 'control-two' });
  const settings = 'podMaxBackoffSeconds: 2\n';
  // Nothing chooses between the two: they try to bind the same pods, as an old leader does that was
  // paused and goes on.
  const schedulers = [
    await berth.startScheduler(control, { name: 'one', flags: gates, settings }),
    await berth.startScheduler(second, { name: 'two', flags: gates, settings }),
  ];
  // Takes the pods that come while no webhook answers. It knows nothing of pools; rating nodes by
  // something else, it would choose the same full one again and again.
  const blind = 'profiles: [{ plugins: { score: { disabled: [{ name: "*" }] } } }]\n';
  const config = defaultSchedulerConfig(cluster.version) + settings + blind;
  schedulers.push(
    await cluster.startScheduler({ name: 'default', format: 'component', config, flags: gates }),
  );
  const agents = await Promise.all(
    nodes.map((node) => berth.startHollowAgent(node, { flags: agentFlags, env })),
  );
  const webhook = await berth.startWebhook();
  // The names say whose they are: other runs may have loop devices on this machine.
  const pools = new Map([
    [`${cluster.name}-a`, 44 * MiB],
    [`${cluster.name}-b`, 28 * MiB],
  ]);
  for (const [pool, size] of pools) {
    await kube.create(storagePool(pool, `${size / MiB}Mi`));
    await berth.poolsReported(pool, nodes);
  }
  const [a = '', b = ''] = pools.keys();
  const classes = [
    storageClass(`${a}.discard`, { pool: a, erase: 'discard' }),
    storageClass(`${a}.zero`, { pool: a, erase: 'zero', placement: 'pack' }),
    storageClass(`${b}.none`, { pool: b, erase: 'none' }),
    { ...storageClass(`${b}.retain`, { pool: b }), reclaimPolicy: 'Retain' },
  ] as readonly { readonly metadata: { readonly name: string } }[];
  for (const one of classes) await kube.create(one);
  const programs = [control, second, webhook, ...agents].map(({ program }) => program);
  programs.push(...schedulers);
  programs.push(
    ...['etcd', 'apiserver', 'controller-manager'].map((role) => cluster.program(role)),
  );
  return {
    cluster,
    places: { nodes, pools, folder: (node, path) => berth.hollowFolder(node, path) },
    classes: classes.map(({ metadata }) => metadata.name),
    programs: new Map(programs.map((program) => [program.spec.role, program])),
    faults,
  };
}
