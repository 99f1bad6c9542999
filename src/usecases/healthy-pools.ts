import type { Health } from '../model/health.ts';
import type { NodePool } from './node-pools.ts';

interface Pools {
  get(name: string): NodePool | undefined;
  list(): readonly NodePool[];
}

/**
 * The pools as their disks allow to use them. In one whose disk is failing nothing new is made;
 * what is in it stays usable and removable.
 */
export function healthyPools(pools: Pools, healthOf: (pool: string) => Health | undefined): Pools {
  const judge = (pool: NodePool): NodePool => {
    const health = healthOf(pool.name);
    return health?.state === 'failing' && pool.problem === undefined
      ? { ...pool, applies: false, problem: `its disk is failing: ${health.message}` }
      : pool;
  };
  return {
    get: (name) => {
      const pool = pools.get(name);
      return pool && judge(pool);
    },
    list: () => pools.list().map(judge),
  };
}
