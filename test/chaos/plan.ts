import { type Fault } from '../../src/platform/fault-points.ts';
import { Random } from './random.ts';

/** A claim of a unit, as it will be created. */
export interface ClaimPlan {
  readonly name: string;
  readonly className: string;
  readonly mebibytes: number;
}

export interface PodPlan {
  readonly name: string;
  readonly claims: readonly string[];
  /** It says itself who places it; otherwise the webhook does, if one answers. */
  readonly choosesScheduler: boolean;
  /** Generic ephemeral volumes: their claims are made for the pod, and go with it. */
  readonly ephemeral: readonly ClaimPlan[];
}

/** Pods and claims that come and go together. */
export interface Unit {
  readonly name: string;
  readonly claims: readonly ClaimPlan[];
  readonly pods: readonly PodPlan[];
}

/** What a user does. */
export interface LoadStep {
  readonly atMs: number;
  /** `replace`: only the pods; `again`: all of it, under the same names, without waiting. */
  readonly what: 'create' | 'delete' | 'replace' | 'again';
  readonly unit: Unit;
}

/** What happens to the programs. */
export type Disturbance =
  | {
      readonly atMs: number;
      readonly what: 'kill';
      readonly role: string;
      readonly downMs: number;
    }
  | {
      readonly atMs: number;
      readonly what: 'pause';
      readonly role: string;
      readonly pausedMs: number;
    }
  | {
      readonly atMs: number;
      /** The leader's Lease is taken away: somebody else may lead while it still does. */
      readonly what: 'depose';
    };

/** What happens to the process that comes to a fault point. */
export interface PointPlan {
  readonly side: 'control' | 'node';
  readonly point: string;
  readonly fault: Fault;
  readonly passing: number;
  /** For how long the process is down or frozen then. */
  readonly forMs: number;
}

export interface Round {
  readonly number: number;
  readonly load: readonly LoadStep[];
  readonly disturbances: readonly Disturbance[];
}

export interface PlanOptions {
  readonly seed: number;
  /** Role by role, how often it is hit compared to the others. */
  readonly roles: Readonly<Record<string, number>>;
  readonly points: Readonly<Record<PointPlan['side'], readonly string[]>>;
  readonly classes: readonly string[];
  /** How long load and disturbances of a round last. */
  readonly roundMs: number;
}

/**
 * Draws up the rounds of a run, one by one. The same options give the same rounds, whatever the
 * cluster makes of them.
 */
export class Plan {
  readonly #options: PlanOptions;
  readonly #random: Random;
  readonly #alive: Unit[] = [];
  #units = 0;
  #rounds = 0;
  #turns = 0;

  constructor(options: PlanOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  next(): Round {
    this.#rounds += 1;
    return {
      number: this.#rounds,
      load: this.#load(),
      disturbances: this.#disturbances(),
    };
  }

  /**
   * Every fault point once, in another order each time. The first turn kills at each of them.
   * When it comes depends on how quickly the points are hit, so it has random numbers of its own.
   */
  nextTurn(): PointPlan[] {
    this.#turns += 1;
    const random = new Random(this.#options.seed + 7919 * this.#turns);
    const { points } = this.#options;
    const sides = Object.entries(points) as [PointPlan['side'], readonly string[]][];
    const all = sides.flatMap(([side, names]) => names.map((point) => ({ side, point })));
    return random.shuffled(all).map((one) => {
      const fault = this.#turns === 1 ? 'kill' : random.weighted({ kill: 14, pause: 3, fail: 3 });
      const passing = this.#turns === 1 ? 1 : random.whole(1, 2);
      const forMs = fault === 'pause' ? pauseMs(random) : random.whole(0, 200);
      return { ...one, fault, passing, forMs };
    });
  }

  #load(): LoadStep[] {
    const random = this.#random;
    const steps: LoadStep[] = [];
    for (let atMs = 0; atMs < this.#options.roundMs; atMs += random.whole(150, 900)) {
      // About as many as the pools can hold: some wait, and some that wait get their turn.
      const isFull = this.#alive.length >= 18;
      const what = random.weighted({
        create: this.#alive.length < 12 ? 12 : 5,
        delete: this.#alive.length < 6 ? 0 : isFull ? 9 : 4,
        replace: this.#alive.length === 0 ? 0 : 2,
        again: this.#alive.length === 0 ? 0 : 1,
      });
      const unit = what === 'create' ? this.#newUnit() : random.pick(this.#alive);
      if (what === 'create') this.#alive.push(unit);
      if (what === 'delete') this.#alive.splice(this.#alive.indexOf(unit), 1);
      steps.push({ atMs, what, unit });
      // Gone again before, or while, it is bound.
      if (what === 'create' && random.chance(0.12)) {
        this.#alive.splice(this.#alive.indexOf(unit), 1);
        steps.push({ atMs: atMs + random.whole(0, 1_500), what: 'delete', unit });
      }
    }
    return steps.sort((a, b) => a.atMs - b.atMs);
  }

  #newUnit(): Unit {
    const random = this.#random;
    this.#units += 1;
    const name = `u${this.#units}`;
    const claim = (suffix: string, className?: string): ClaimPlan => ({
      name: suffix === '' ? name : `${name}-${suffix}`,
      className: className ?? random.pick(this.#options.classes),
      mebibytes: random.whole(2, 8),
    });
    const chooses = random.chance(0.7);
    const shape = random.weighted({ one: 8, several: 4, twoPools: 3, shared: 3, ephemeral: 4 });
    switch (shape) {
      case 'one':
        return unitOf(name, [claim('')], [name], chooses);
      case 'several': {
        const className = random.pick(this.#options.classes);
        const letters = ['a', 'b', 'c'].slice(0, random.whole(2, 3));
        const claims = letters.map((letter) => claim(letter, className));
        return unitOf(name, claims, [name], chooses);
      }
      case 'twoPools': {
        const classes = random.shuffled(this.#options.classes).slice(0, 3);
        const claims = classes.map((className, index) =>
          claim(String.fromCharCode(97 + index), className),
        );
        return unitOf(name, claims, [name], chooses);
      }
      case 'shared':
        return unitOf(name, [claim('')], [`${name}-x`, `${name}-y`], chooses);
      case 'ephemeral': {
        const ephemeral = random.chance(0.5) ? [claim('e')] : [claim('e'), claim('f')];
        const claims = random.chance(0.3) ? [claim('a')] : [];
        const [pod] = unitOf(name, claims, [name], chooses).pods;
        return { name, claims, pods: pod ? [{ ...pod, ephemeral }] : [] };
      }
    }
  }

  #disturbances(): Disturbance[] {
    const { roundMs } = this.#options;
    const random = this.#random;
    const found: Disturbance[] = [];
    // The first half belongs to the fault points: who is killed all the time comes to none.
    let atMs = roundMs / 2;
    for (; atMs < roundMs; atMs += random.whole(300, 1_300)) {
      found.push(this.#atRole(atMs));
    }
    for (atMs = random.whole(0, 5_000); atMs < roundMs; atMs += random.whole(4_000, 9_000)) {
      found.push({ atMs, what: 'depose' });
    }
    return found.sort((a, b) => a.atMs - b.atMs);
  }

  #atRole(atMs: number): Disturbance {
    const random = this.#random;
    const role = random.weighted(this.#options.roles);
    return random.chance(0.8)
      ? { atMs, what: 'kill', role, downMs: random.whole(0, 1_500) }
      : { atMs, what: 'pause', role, pausedMs: pauseMs(random) };
  }
}

/** Mostly short; sometimes longer than timeouts, and now and then longer than Leases last. */
function pauseMs(random: Random): number {
  const [least, most] = {
    short: [200, 2_500] as const,
    long: [5_000, 10_000] as const,
    silent: [16_000, 25_000] as const,
  }[random.weighted({ short: 16, long: 3, silent: 1 })];
  return random.whole(least, most);
}

function unitOf(
  name: string,
  claims: readonly ClaimPlan[],
  pods: readonly string[],
  choosesScheduler: boolean,
): Unit {
  const names = claims.map((claim) => claim.name);
  const common = { claims: names, choosesScheduler, ephemeral: [] };
  return { name, claims, pods: pods.map((pod) => ({ name: pod, ...common })) };
}

/** A round in lines, for people. */
export function describeRound({ number, load, disturbances }: Round): string {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)}s`;
  const does = load.map(({ atMs, what, unit }) => `${seconds(atMs)} ${what} ${unit.name}`);
  const hits = disturbances.map((one) => {
    const at = seconds(one.atMs);
    switch (one.what) {
      case 'kill':
        return `${at} kill ${one.role}`;
      case 'pause':
        return `${at} pause ${one.role} for ${seconds(one.pausedMs)}`;
      case 'depose':
        return `${at} depose the leader`;
    }
  });
  return `round ${number}\n  load: ${does.join(', ')}\n  faults: ${hits.join(', ')}`;
}

export function describeTurn(points: readonly PointPlan[]): string {
  const each = points.map(({ point, fault, passing }) => `${fault} at ${point} #${passing}`);
  return `the next fault points\n  ${each.join(', ')}`;
}
