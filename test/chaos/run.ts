import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { commandSteps, controlSteps, nodeSteps, pointsOf } from '../../src/commands/fault-steps.ts';
import { ApiError } from '../cluster/api-client.ts';
import { ArmingDesk } from './arming.ts';
import { checkFiles, checkObjects, checkPods, checkQuiet, type Finding } from './checker.ts';
import { openGround, type Ground } from './ground.ts';
import { Load } from './load.ts';
import {
  describeRound,
  describeTurn,
  Plan,
  type Disturbance,
  type PointPlan,
  type Round,
} from './plan.ts';
import { Supervisor } from './supervisor.ts';
import { Tenant } from './tenant.ts';
import { readFiles, readObjects, readWorld, type World } from './world.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** Ends the run as soon as there have been so many. */
  readonly kills?: number | undefined;
  readonly say: (line: string) => void;
}

export interface ChaosResult {
  readonly findings: readonly Finding[];
  readonly kills: number;
  readonly pauses: number;
  readonly rounds: number;
  /** Points of the table that were hit, and that were not. */
  readonly hit: readonly string[];
  readonly missed: readonly string[];
  /** Where the logs and objects of a failed run are. */
  readonly evidence: string | undefined;
}

const roundMs = 25_000;
const settleMs = 120_000;

/** How often each role is hit, compared to the others. */
const weights: Readonly<Record<string, number>> = {
  'control-one': 3,
  'control-two': 3,
  'agent-n1': 3,
  'agent-n2': 3,
  'agent-n3': 3,
  webhook: 2,
  'scheduler-one': 1,
  'scheduler-two': 1,
  'scheduler-default': 1,
  apiserver: 1,
  'controller-manager': 1,
  etcd: 1,
};

const points: Readonly<Record<PointPlan['side'], readonly string[]>> = {
  control: pointsIn(controlSteps),
  node: [...pointsIn(nodeSteps), ...commandSteps.flatMap(({ step }) => pointsOf(step))],
};
const allPoints = [...points.control, ...points.node];

function pointsIn(table: Readonly<Record<string, Readonly<Record<string, string>>>>): string[] {
  return Object.values(table).flatMap((steps) => Object.values(steps).flatMap(pointsOf));
}

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const ground = await openGround();
  try {
    return await new Run(ground, options).toTheEnd();
  } finally {
    await ground.cluster.stop();
  }
}

class Run {
  readonly #ground: Ground;
  readonly #options: ChaosOptions;
  readonly #supervisor: Supervisor;
  readonly #desk: ArmingDesk;
  readonly #tenant: Tenant;
  readonly #load: Load;
  readonly #plan: Plan;
  readonly #findings: Finding[] = [];

  constructor(ground: Ground, options: ChaosOptions) {
    this.#ground = ground;
    this.#options = options;
    this.#supervisor = new Supervisor(ground.programs);
    const { seed, say } = options;
    this.#plan = new Plan({ seed, roundMs, roles: weights, points, classes: ground.classes });
    this.#desk = new ArmingDesk(ground.faults, this.#supervisor, () => {
      const turn = this.#plan.nextTurn();
      say(describeTurn(turn));
      return turn;
    });
    this.#tenant = new Tenant(ground.places);
    this.#load = new Load(ground.cluster.api, this.#tenant);
  }

  async toTheEnd(): Promise<ChaosResult> {
    const { durationMs, kills = Infinity, say } = this.#options;
    const startedAt = performance.now();
    let rounds = 0;
    try {
      while (performance.now() - startedAt < durationMs && this.#supervisor.kills < kills) {
        const round = this.#plan.next();
        rounds = round.number;
        say(describeRound(round));
        await this.#play(round);
        await this.#quiet(`after round ${round.number}`);
        if (this.#findings.length > 0) break;
      }
      await this.#clearAway();
    } catch (error) {
      this.#findings.push({ kind: 'stuck', text: String((error as Error).stack) });
    } finally {
      this.#desk.stop();
      this.#supervisor.stop();
    }
    return this.#result(rounds);
  }

  async #play(round: Round): Promise<void> {
    const stop = new AbortController();
    const watching = this.#watch(stop.signal);
    const steps = [
      ...round.load.map((step) => ({ atMs: step.atMs, act: () => this.#load.begin(step) })),
      ...round.disturbances.map((one) => ({ atMs: one.atMs, act: () => this.#disturb(one) })),
    ].sort((a, b) => a.atMs - b.atMs);
    const startedAt = performance.now();
    this.#desk.open();
    for (const { atMs, act } of steps) {
      await sleep(Math.max(0, startedAt + atMs - performance.now()));
      act();
    }
    this.#desk.close();
    stop.abort();
    await watching;
  }

  #disturb(one: Disturbance): void {
    switch (one.what) {
      case 'kill':
        this.#supervisor.kill(one.role, one.downMs);
        break;
      case 'pause':
        this.#supervisor.pause(one.role, one.pausedMs);
        break;
      case 'depose':
        // The API server may be away just now.
        void this.#depose().catch(() => undefined);
    }
  }

  /** Looks at what must hold at every moment, and moves into new volumes. */
  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const findings = [
        ...this.#lookAtFiles(),
        ...(await this.#lookAtObjects().catch(() => [])),
        ...(await this.#tenant.lookAfter(readFiles(this.#ground.places))),
      ];
      this.#report(findings);
      // The API server may be away just now.
      await this.#load.moveIn().catch(() => undefined);
      this.#report(this.#load.findings);
      await this.#load.giveUpRetained().catch(() => undefined);
      await sleep(400);
    }
  }

  #lookAtFiles(): Finding[] {
    const { places } = this.#ground;
    const files = readFiles(places);
    // What is there before and after a look was there all the time.
    const after = new Set(readFiles(places).map(({ path, inode }) => `${path} ${inode}`));
    const stayed = files.filter(({ path, inode }) => after.has(`${path} ${inode}`));
    return checkFiles(stayed, places);
  }

  async #lookAtObjects(): Promise<Finding[]> {
    const { api } = this.#ground.cluster;
    const objects = await readObjects(api);
    const later = await readObjects(api);
    return [...checkObjects(objects), ...checkPods(objects, later)];
  }

  #report(findings: readonly Finding[]): void {
    for (const { kind, text } of findings) {
      if (!this.#findings.some((known) => known.text === text)) {
        this.#findings.push({ kind, text });
        this.#options.say(`${new Date().toISOString()} ${kind}: ${text}`);
      }
    }
  }

  /** Everything up, nothing to do any more: what is wrong now is wrong. */
  async #quiet(when: string): Promise<void> {
    const startedAt = performance.now();
    await this.#supervisor.allUp();
    const upMs = performance.now() - startedAt;
    await this.#load.ended();
    await this.#depose();
    const left = await this.#settled(startedAt + settleMs);
    const findings = [
      ...left,
      ...this.#load.findings,
      ...(await this.#tenant.lookAfter()),
      ...(await this.#tenant.lookAfter(readFiles(this.#ground.places))),
    ];
    this.#report(findings);
    const tookMs = performance.now() - startedAt;
    this.#options.say(
      `${when}: ${this.#supervisor.kills} kills, ${this.#supervisor.pauses} pauses, ` +
        `${this.#desk.hits.size}/${allPoints.length} points, ${this.#tenant.volumes} volumes in use, ` +
        `up after ${(upMs / 1000).toFixed(1)} s, quiet after ${(tookMs / 1000).toFixed(1)} s`,
    );
  }

  /** @returns what is still wrong when there is nothing, or the time is over */
  async #settled(endsAt: number): Promise<readonly Finding[]> {
    for (;;) {
      await sleep(500);
      await this.#load.moveIn();
      await this.#load.giveUpRetained();
      const findings = checkQuiet(await this.#world(), this.#ground.places);
      if (findings.length === 0 || performance.now() > endsAt) return findings;
    }
  }

  /**
   * Without this a dead leader's Lease would have to run out before anybody leads. Nothing may rest
   * on there being only one leader, so it is no more than a harder test.
   */
  async #depose(): Promise<void> {
    const path = '/apis/coordination.k8s.io/v1/namespaces/berth-system/leases/berth-control';
    const { api } = this.#ground.cluster;
    await api.request('DELETE', path).catch((error: unknown) => {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    });
  }

  async #clearAway(): Promise<void> {
    for (const unit of this.#load.units) this.#load.begin({ atMs: 0, what: 'delete', unit });
    await this.#quiet('at the end');
    const { claims, pods, persistentVolumes, localVolumes, files, links, loops } =
      await this.#world();
    const left = Object.entries({
      claims,
      pods,
      persistentVolumes,
      localVolumes,
      files,
      links,
      loops,
    });
    for (const [kind, { length }] of left) {
      if (length > 0) this.#report([{ kind: 'leaked', text: `${length} ${kind} at the end` }]);
    }
  }

  #world(): Promise<World> {
    const { cluster, places } = this.#ground;
    return readWorld(cluster.api, places);
  }

  async #result(rounds: number): Promise<ChaosResult> {
    const { kills, pauses } = this.#supervisor;
    const { hits } = this.#desk;
    return {
      ...{ findings: this.#findings, kills, pauses, rounds },
      hit: allPoints.filter((point) => hits.has(point)),
      missed: allPoints.filter((point) => !hits.has(point)),
      evidence: this.#findings.length > 0 ? await this.#keepEvidence() : undefined,
    };
  }

  async #keepEvidence(): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), `berth-chaos-${this.#options.seed}-`));
    cpSync(join(this.#ground.cluster.dir, 'logs'), join(folder, 'logs'), { recursive: true });
    const world = await this.#world().catch((error: unknown) => String(error));
    const events = await this.#ground.cluster.api
      .request('GET', '/api/v1/namespaces/default/events')
      .catch((error: unknown) => String(error));
    const write = (name: string, content: unknown): void =>
      writeFileSync(join(folder, name), JSON.stringify(content, undefined, 1));
    write('world.json', world);
    write('events.json', events);
    write('findings.json', this.#findings);
    return folder;
  }
}
