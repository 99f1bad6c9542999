import type { Health } from '../model/health.ts';
import { describeError } from '../model/errors.ts';
import { deviceChains } from '../platform/health/block-chain.ts';
import { healthMeter } from '../platform/health/health-meter.ts';
import { sleep } from '../platform/sleep.ts';
import { HealthEffects } from '../usecases/health-effects.ts';
import type { NodeStanding, PoolStanding, StandingStore } from '../usecases/node-ports.ts';
import type { Log } from '../usecases/ports.ts';
import { HealthWatch, type HealthPlaces } from '../usecases/watch-health.ts';
import { healthSources } from './health-sources.ts';
import type { NodeConfig, NodeParts } from './node-parts.ts';

export interface HealthLoop {
  /** What is wrong with what a pool lies on. */
  readonly pool: (name: string) => Health | undefined;
  /** Adds what is wrong with the devices to what is written of the node. */
  readonly withHealth: (standings: StandingStore) => StandingStore;
  /** Takes over what an earlier agent knew, and looks once: before anything is reported. */
  readonly begin: (before: Partial<NodeStanding>) => Promise<void>;
  readonly run: (signal: AbortSignal) => Promise<void>;
}

export interface HealthLoopOptions {
  readonly config: NodeConfig;
  readonly log: Log;
  /** What the node says of its pools has changed. */
  readonly changed: () => void;
}

/** Watches the disks under pools and volumes, by one timer. */
export function healthLoop(
  parts: NodeParts,
  { config, log, changed }: HealthLoopOptions,
): HealthLoop {
  const { nodeName: node, healthInterval, healthQuiet: quietMs } = config;
  const { volumes, events, pools } = parts;
  const watch = new HealthWatch({
    ...healthSources(config, parts.run, log),
    ...{ chains: deviceChains(), now: Date.now, quietMs },
  });
  const meter = healthMeter(parts.metrics);
  const effects = new HealthEffects({ node, volumes, events, log, meter, changed });
  /** The pools as they were last measured: what those lie on that have no directory. */
  let measured: readonly PoolStanding[] = [];

  function places(): HealthPlaces {
    const disksOf = (pool: string): readonly string[] => {
      const { disks = [], under } = measured.find(({ name }) => name === pool) ?? {};
      const own = disks.flatMap(({ path, state }) => (state === 'refused' ? [] : [path]));
      return under ?? own.filter((path) => path !== undefined);
    };
    return {
      pools: pools.list().map(({ name, directory }) => ({
        pool: name,
        paths: directory === undefined ? disksOf(name) : [directory],
      })),
      volumes: volumes
        .list()
        .flatMap(({ name, spec, status: { path } }) =>
          path === undefined ? [] : [{ name, pool: spec.pool, path }],
        ),
    };
  }

  async function look(): Promise<void> {
    try {
      await effects.apply(await watch.look(places()));
    } catch (error) {
      log.warn('the look at the disks failed', { error: describeError(error) });
    }
  }

  return {
    pool: (name) => effects.pool(name),
    withHealth: (standings) => ({
      write: async (standing) => {
        measured = standing.pools;
        await standings.write({ ...standing, health: effects.devices });
      },
    }),
    begin: async ({ health = [] }) => {
      watch.resume(health);
      effects.resume(health);
      if (healthInterval > 0) {
        await look();
      }
    },
    run: async (signal) => {
      while (healthInterval > 0 && !signal.aborted) {
        await sleep(healthInterval, signal);
        if (!signal.aborted) {
          await look();
        }
      }
    },
  };
}
