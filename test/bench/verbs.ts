import { join } from 'node:path';

import { freePort } from '../cluster/ports.ts';
import type { Pod } from '../../src/kube/objects.ts';
import { claim } from '../support/objects.ts';
import { type BigGround, poolName } from './big-ground.ts';
import { Caller } from './caller.ts';
import { type Figures, percentile } from './figures.ts';
import { cpuMs } from './process-cost.ts';
import { realisticPod } from './realistic-pod.ts';

const nameCounts = [100, 1_000, 5_000];
const warmUps = 120;
const rounds = 300;
/** Filtered pods that hold room while the measured one is filtered, as in a burst. */
const podsOnTheWay = 32;

/** A pod as kube-scheduler sends it, of which copies with other identities can be made. */
type SentPod = Pod & { metadata: NonNullable<Pod['metadata']> };

interface FilterAnswer {
  NodeNames: string[];
  FailedNodes: Record<string, string>;
  FailedAndUnresolvableNodes: Record<string, string>;
  Error: string;
}

/**
 * Filter and prioritize over HTTP, one call after the other on one connection, as the serial
 * loop of kube-scheduler makes them; and in turn with them a server that decides nothing. `cycle`
 * is what control spends on one pod, filter and prioritize together.
 */
export async function measureVerbs(ground: BigGround, figures: Figures): Promise<void> {
  const floor = await startFloor(ground);
  const caller = new Caller();
  const pod = await createPod(ground);
  const { verbs } = ground.control;
  for (const count of nameCounts) {
    const names = everyNth(ground.nodes, count);
    const body = Buffer.from(requestOf(pod, names));
    await checkAnswer(caller, `${verbs}/filter`, body, count);
    const times = { filter: [] as number[], prioritize: [] as number[], floor: [] as number[] };
    let cpuBefore = 0;
    for (let round = -warmUps; round < rounds; round += 1) {
      if (round === 0) {
        cpuBefore = cpuMs(ground.control.program);
      }
      const filter = await caller.post(`${verbs}/filter`, body);
      const prioritize = await caller.post(`${verbs}/prioritize`, body);
      const least = await caller.post(floor, body);
      if (round >= 0) {
        times.filter.push(filter.ms);
        times.prioritize.push(prioritize.ms);
        times.floor.push(least.ms);
      }
    }
    const baseline = { name: `floor.${count}`, times: times.floor };
    figures.addPair(`filter.${count}`, times.filter, baseline);
    figures.addTimes(`prioritize.${count}`, times.prioritize, baseline);
    const ratio = percentile(times.filter, 0.5) / percentile(times.floor, 0.5);
    figures.add(`filter.${count}.floor_ratio`, ratio, 'ratio', rounds);
    // Time of the processor, not of the clock: others on the machine hardly change it.
    const cpu = (cpuMs(ground.control.program) - cpuBefore) / rounds;
    figures.add(`cycle.${count}.cpu_ms`, cpu, 'ms', rounds);
  }
  await measureBusy(ground, caller, pod, figures);
  await measureFull(ground, caller, pod, figures);
  caller.close();
}

/** The same while other pods have been filtered and are not bound yet. */
async function measureBusy(
  { control, nodes }: BigGround,
  caller: Caller,
  pod: SentPod,
  figures: Figures,
): Promise<void> {
  const url = `${control.verbs}/filter`;
  const bodies = Array.from({ length: podsOnTheWay }, (_, index) =>
    Buffer.from(
      requestOf(withUid(pod, `11111111-0000-4000-8000-${100_000_000_000 + index}`), nodes),
    ),
  );
  const times: number[] = [];
  for (let round = -podsOnTheWay; round < rounds; round += 1) {
    const { ms } = await caller.post(url, bodies[(round + podsOnTheWay) % podsOnTheWay] ?? '');
    if (round >= 0) {
      times.push(ms);
    }
  }
  figures.addTimes(`filter.${nodes.length}.busy`, times);
}

/** A pod that fits nowhere: every node gets its reason. */
async function measureFull(
  { control, nodes, kube }: BigGround,
  caller: Caller,
  pod: SentPod,
  figures: Figures,
): Promise<void> {
  await kube.create(claim('too-big', poolName, '900Gi'));
  const big = structuredClone(withUid(pod, '22222222-0000-4000-8000-000000000000'));
  const volume = big.spec?.volumes?.find((one) => one.persistentVolumeClaim);
  if (volume?.persistentVolumeClaim) {
    volume.persistentVolumeClaim.claimName = 'too-big';
  }
  const body = Buffer.from(requestOf(big, nodes));
  const times: number[] = [];
  for (let round = -warmUps / 4; round < rounds / 2; round += 1) {
    const { ms } = await caller.post(`${control.verbs}/filter`, body);
    if (round >= 0) {
      times.push(ms);
    }
  }
  figures.addTimes(`filter.${nodes.length}.full`, times);
}

async function startFloor({ cluster }: BigGround): Promise<string> {
  const port = await freePort();
  const file = join(import.meta.dirname, 'floor-server.ts');
  await cluster.startProgram({
    role: 'floor',
    file: process.execPath,
    args: ['--import', import.meta.resolve('tsx'), file, String(port)],
    ready: async () => (await fetch(`http://127.0.0.1:${port}/ready`)).ok,
  });
  return `http://127.0.0.1:${port}/filter`;
}

/** Lets the API server complete a pod, so that its size is what a scheduler really sends. */
async function createPod({ kube }: BigGround): Promise<SentPod> {
  await kube.create(claim('data-orders-postgres-0', poolName, '8Gi'));
  // Nobody serves this scheduler: the pod stays as it is.
  const object = realisticPod('orders-postgres-0', 'data-orders-postgres-0', 'nobody');
  await kube.create(object);
  const pod = await kube.get<SentPod>('Pod', 'orders-postgres-0');
  delete pod.metadata.managedFields;
  delete pod.apiVersion;
  delete pod.kind;
  return pod;
}

function withUid(pod: SentPod, uid: string): SentPod {
  return { ...pod, metadata: { ...pod.metadata, uid } };
}

function requestOf(pod: SentPod, nodeNames: readonly string[]): string {
  return JSON.stringify({ Pod: pod, Nodes: null, NodeNames: nodeNames });
}

/** So many names, from all over the list. */
function everyNth(names: readonly string[], count: number): string[] {
  const step = names.length / count;
  return Array.from({ length: count }, (_, index) => names[Math.floor(index * step)] ?? '');
}

/** A figure of wrong answers would be worth nothing. */
async function checkAnswer(
  caller: Caller,
  url: string,
  body: Buffer,
  count: number,
): Promise<void> {
  const { text } = await caller.post(url, body);
  const answer = JSON.parse(text) as FilterAnswer;
  const refused = { ...answer.FailedNodes, ...answer.FailedAndUnresolvableNodes };
  const texts = new Set(Object.values(refused));
  const feasible = answer.NodeNames.length;
  const whole = feasible + Object.keys(refused).length === count;
  if (answer.Error !== '' || !whole || feasible < count / 2 || texts.size > 1) {
    throw new Error(`unexpected answer: ${feasible} of ${count} fit, ${[...texts].join('; ')}`);
  }
}
