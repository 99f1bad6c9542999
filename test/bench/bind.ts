import type { Pod } from '../../src/kube/objects.ts';
import { claim, pod } from '../support/objects.ts';
import { Caller } from './caller.ts';
import { clearAway } from './clear-away.ts';
import type { Figures } from './figures.ts';
import { nobody, poolName, type SmallGround, volumeSize } from './small-ground.ts';

const warmUps = 10;
const rounds = 60;
const width = 16;
const waves = 5;

/**
 * From the bind call to its answer: all that a new volume takes, from the LocalVolume to the
 * Binding. Next to it what no bind can do without, the API server's answer to a Binding.
 */
export async function measureBind(ground: SmallGround, figures: Figures): Promise<void> {
  const caller = new Caller(width);
  const withVolume: number[] = [];
  const bare: number[] = [];
  for (let round = -warmUps; round < rounds; round += 1) {
    const node = ground.nodes[0] ?? '';
    const name = `bind-${round + warmUps}`;
    const ours = await bindWithVolume(ground, caller, name, node);
    const least = await bindBare(ground, `${name}-bare`, node);
    if (round >= 0) {
      withVolume.push(ours);
      bare.push(least);
    }
  }
  figures.addPair('bind.ready', withVolume, { name: 'bind.bare', times: bare });
  await measureParallel(ground, caller, figures);
  caller.close();
  await clearAway(ground);
}

/** Several binds at a time, over all nodes: what a burst does. */
async function measureParallel(
  ground: SmallGround,
  caller: Caller,
  figures: Figures,
): Promise<void> {
  const times: number[] = [];
  for (let wave = 0; wave < waves; wave += 1) {
    const ready = await Promise.all(
      Array.from({ length: width }, async (_, index) => {
        const node = ground.nodes[index % ground.nodes.length] ?? '';
        return requestFor(ground, `wave-${wave}-${index}`, node);
      }),
    );
    times.push(...(await Promise.all(ready.map((body) => call(ground, caller, body)))));
  }
  figures.addTimes(`bind.parallel${width}`, times);
}

async function bindWithVolume(
  ground: SmallGround,
  caller: Caller,
  name: string,
  node: string,
): Promise<number> {
  return call(ground, caller, await requestFor(ground, name, node));
}

/** Makes a pod with a claim that nobody has bound, and the request that binds it. */
async function requestFor({ kube }: SmallGround, name: string, node: string): Promise<string> {
  await kube.create(claim(name, poolName, volumeSize));
  await kube.create(pod(name, { claims: [name], schedulerName: nobody }));
  const { metadata } = await kube.get<Pod>('Pod', name);
  return JSON.stringify({
    PodName: name,
    PodNamespace: 'default',
    PodUID: metadata?.uid,
    Node: node,
  });
}

async function call({ control }: SmallGround, caller: Caller, body: string): Promise<number> {
  const { ms, text } = await caller.post(`${control.verbs}/bind`, body);
  const { Error: problem } = JSON.parse(text) as { Error: string };
  if (problem !== '') {
    throw new Error(problem);
  }
  return ms;
}

async function bindBare({ cluster, kube }: SmallGround, name: string, node: string) {
  await kube.create(pod(name, { schedulerName: nobody }));
  const startedAt = performance.now();
  await cluster.api.request('POST', `/api/v1/namespaces/default/pods/${name}/binding`, {
    body: {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name },
      target: { apiVersion: 'v1', kind: 'Node', name: node },
    },
  });
  return performance.now() - startedAt;
}
