import { FaultFolder } from '../support/fault-folder.ts';
import type { PointPlan } from './plan.ts';
import type { Supervisor } from './supervisor.ts';

/** As many points are armed at a time, in `berth control` and in the agents each. */
const armedAtOnce = 4;
/** One that nobody passes makes place for the next, and comes again later. */
const patienceMs = 6_000;
/** For one that was never hit: the leader, for example, passes some only every 5 s. */
const firstPatienceMs = 12_000;
const mostTries = 3;
const leastPauseMs = 250;

interface Arming {
  readonly plan: PointPlan;
  readonly tries: number;
  readonly at: number;
}

interface Side {
  readonly waiting: { readonly plan: PointPlan; readonly tries: number }[];
  /** By id. */
  readonly armed: Map<string, Arming>;
  lastAt: number;
}

/** Arms the fault points of the plan, one after another, and hears which were hit and by whom. */
export class ArmingDesk {
  readonly #faults: FaultFolder;
  readonly #supervisor: Supervisor;
  readonly #nextTurn: () => readonly PointPlan[];
  readonly #sides: Readonly<Record<PointPlan['side'], Side>> = {
    control: { waiting: [], armed: new Map(), lastAt: 0 },
    node: { waiting: [], armed: new Map(), lastAt: 0 },
  };
  /** All that were ever armed: a process may take one at the moment when it is disarmed. */
  readonly #known = new Map<string, PointPlan>();
  readonly #timer: NodeJS.Timeout;
  #isOpen = false;
  #count = 0;
  /** Per point how often it was hit. */
  readonly hits = new Map<string, number>();

  constructor(faults: FaultFolder, supervisor: Supervisor, nextTurn: () => readonly PointPlan[]) {
    this.#faults = faults;
    this.#supervisor = supervisor;
    this.#nextTurn = nextTurn;
    this.#timer = setInterval(() => this.#tick(), 25);
  }

  open(): void {
    this.#isOpen = true;
  }

  /** From here on nobody comes upon an armed point; what was not hit is armed again when open. */
  close(): void {
    this.#isOpen = false;
    for (const side of Object.values(this.#sides)) {
      for (const [id, { plan, tries }] of side.armed) {
        this.#disarm(id, side);
        side.waiting.unshift({ plan, tries });
      }
    }
    this.#collect();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    this.#collect();
    if (!this.#isOpen) return;
    const sides = Object.values(this.#sides);
    sides.forEach((side) => this.#giveUpOld(side));
    if (sides.every(({ waiting, armed }) => waiting.length + armed.size === 0)) {
      const turn = this.#nextTurn();
      // What was never hit yet has had bad luck: it comes first.
      const missed = turn.filter(({ point }) => !this.hits.has(point));
      for (const plan of [...missed, ...turn.filter((one) => !missed.includes(one))]) {
        this.#sides[plan.side].waiting.push({ plan, tries: 0 });
      }
    }
    sides.forEach((side) => this.#armNext(side));
  }

  #giveUpOld(side: Side): void {
    for (const [id, { plan, tries, at }] of side.armed) {
      const patience = this.hits.has(plan.point) ? patienceMs : firstPatienceMs;
      if (performance.now() - at > patience) {
        this.#disarm(id, side);
        if (tries + 1 < mostTries) side.waiting.push({ plan, tries: tries + 1 });
      }
    }
  }

  #armNext(side: Side): void {
    const now = performance.now();
    if (side.armed.size >= armedAtOnce || now - side.lastAt < leastPauseMs) return;
    const next = side.waiting.shift();
    if (next === undefined) return;
    side.lastAt = now;
    this.#arm(next.plan, next.tries, side);
    // Something is undone only when a bind fails after it has made something.
    const helper = 'bind.await-volume.before';
    const isArmed = [...side.armed.values()].some(({ plan }) => plan.point === helper);
    if (next.plan.point.startsWith('undo.') && !isArmed) {
      const plan = { ...next.plan, point: helper, fault: 'fail', passing: 1 } as const;
      this.#arm(plan, mostTries, side);
    }
  }

  #arm(plan: PointPlan, tries: number, side: Side): void {
    this.#count += 1;
    const id = `a${this.#count}`;
    const { point, fault, passing } = plan;
    this.#faults.arm(point, { id, fault, passing });
    this.#known.set(id, plan);
    side.armed.set(id, { plan, tries, at: performance.now() });
  }

  #disarm(id: string, side: Side): void {
    const point = side.armed.get(id)?.plan.point;
    side.armed.delete(id);
    if (point !== undefined) this.#faults.disarm(point);
  }

  #collect(): void {
    for (const { id, pid } of this.#faults.collect()) {
      Object.values(this.#sides).forEach(({ armed }) => armed.delete(id));
      const plan = this.#known.get(id);
      if (plan !== undefined) this.#taken(plan, pid);
    }
  }

  #taken({ point, fault, forMs }: PointPlan, pid: number): void {
    this.hits.set(point, (this.hits.get(point) ?? 0) + 1);
    const role = this.#supervisor.roleOf(pid);
    if (fault === 'kill') this.#supervisor.killed(role, forMs);
    if (fault === 'pause' && role !== undefined) this.#supervisor.paused(role, forMs);
  }
}
