import type { Pod as PodObject } from '../../src/kube/objects.ts';
import { createReflector } from '../../src/kube/reflector.ts';
import { schedulerName } from '../../src/model/names.ts';
import { parsePod, type Pod } from '../../src/model/pod.ts';
import type { Result } from '../../src/model/result.ts';
import { openClient } from './client.ts';
import type { Control } from './control.ts';
import type { Simulation } from './simulation.ts';
import type { Process } from './world.ts';

/** As in the configuration that is given to kube-scheduler. */
const httpTimeoutMs = 30_000;
const flushMs = 60_000;

/** When a pod may be tried again. */
interface Turn {
  failures: number;
  notBefore: number;
  /** It was refused, so only news is worth another try. */
  refused: boolean;
}

/**
 * kube-scheduler as far as it matters: one pod after another through filter and prioritize, binds
 * in the background, an answer that comes too late counts as a failure.
 */
export function startScheduler(
  simulation: Simulation,
  name: string,
  control: () => Control | undefined,
): Process {
  const { world, faults } = simulation;
  const process = world.process(name);
  const client = openClient(simulation.accessOf(process));
  const log = simulation.logOf(process);
  const pods = createReflector<PodObject>({ ...client, log, path: '/api/v1/pods' });
  const nodes = createReflector({ ...client, log, path: '/api/v1/nodes' });
  const turns = new Map<string, Turn>();
  const assumed = new Set<string>();
  let wake = (): void => {};

  function turnOf(uid: string): Turn {
    const turn = turns.get(uid) ?? { failures: 0, notBefore: 0, refused: false };
    turns.set(uid, turn);
    return turn;
  }

  function news(): void {
    for (const turn of turns.values()) {
      if (turn.refused) {
        Object.assign(turn, { refused: false, notBefore: world.now + backoff(turn) });
      }
    }
    wake();
  }

  function waiting(): readonly Pod[] {
    return [...pods.list()].flatMap((object) => {
      const pod = parsePod(object);
      const isOurs =
        pod.ok && pod.value.nodeName === '' && pod.value.schedulerName === schedulerName;
      return isOurs && !pod.value.deleting && !assumed.has(pod.value.uid) ? [pod.value] : [];
    });
  }

  function fail(pod: Pod, refused: boolean): void {
    const turn = turnOf(pod.uid);
    turn.failures += 1;
    turn.refused = refused;
    turn.notBefore = world.now + (refused ? flushMs : backoff(turn));
    wake();
  }

  /** Calls a verb over the network: to a replica that lives, is ready, and answers in time. */
  function call<T>(work: (to: Control) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error('timeout')), httpTimeoutMs);
      const refuse = (): void => world.soon(process, () => reject(new Error('refused')));
      const to = control();
      if (!to) {
        refuse();
        return;
      }
      const arrive = (): void => {
        if (to.parts.state.notSynced().length > 0) {
          refuse();
          return;
        }
        work(to).then(
          (value) => world.soon(process, () => resolve(value)),
          (error: unknown) => world.soon(process, () => reject(new Error(String(error)))),
        );
      };
      // Some requests come long after the one who asked has given up.
      const late = world.random.chance(faults.call / 4) ? world.random.between(0, 60_000) : 0;
      world.after(world.random.delay() + late, to.process, arrive, refuse);
    });
  }

  async function choose(pod: Pod): Promise<string | undefined> {
    const names = [...nodes.list()].map(({ metadata }) => metadata?.name ?? '');
    const { feasible } = await call((to) => to.filter(pod, names));
    if (feasible.length < 2) {
      return feasible[0];
    }
    const scores = await call((to) => to.prioritize(pod, feasible)).catch(() => []);
    simulation.checks.scores(scores);
    const best = Math.max(...scores.map(({ score }) => score));
    const candidates = scores.filter(({ score }) => score === best).map(({ node }) => node);
    return world.random.pick(candidates.length > 0 ? candidates : feasible);
  }

  async function bind(pod: Pod, node: string): Promise<void> {
    const request = { namespace: pod.namespace, name: pod.name, uid: pod.uid, node };
    const post = (): Promise<Result<void, string>> => call((to) => to.bind(request));
    simulation.checks.bindBegins(pod.uid);
    world.say(name, `binds ${pod.name} (${pod.uid}) to ${node}`);
    if (world.random.chance(faults.call)) {
      post().catch(() => undefined);
    }
    try {
      const answer = await post();
      if (!answer.ok) {
        throw new Error(answer.error);
      }
    } catch (error) {
      world.say(name, `bind of ${pod.name} to ${node} failed: ${String(error)}`);
      assumed.delete(pod.uid);
      fail(pod, false);
    }
  }

  async function schedule(pod: Pod): Promise<void> {
    try {
      const node = await choose(pod);
      if (node === undefined) {
        fail(pod, true);
        return;
      }
      assumed.add(pod.uid);
      void bind(pod, node);
    } catch {
      fail(pod, false);
    }
  }

  async function loop(): Promise<never> {
    for (;;) {
      const ready = waiting().filter(({ uid }) => turnOf(uid).notBefore <= world.now);
      const [pod] = ready;
      await (pod ? schedule(pod) : untilNext());
    }
  }

  function untilNext(): Promise<void> {
    const next = Math.min(...waiting().map(({ uid }) => turnOf(uid).notBefore));
    return new Promise((resolve) => {
      wake = resolve;
      if (next < Infinity) {
        setTimeout(resolve, next - world.now);
      }
    });
  }

  pods.onChange(news);
  nodes.onChange(news);
  world.after(0, process, () => {
    const { signal } = new AbortController();
    void pods.run(signal);
    void nodes.run(signal);
    void loop();
  });
  return process;
}

function backoff({ failures }: Turn): number {
  return Math.min(10_000, 1_000 * 2 ** Math.min(failures, 5));
}
