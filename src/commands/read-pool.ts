import { isDiscoverySpec, parseDiscoverySpec } from '../backends/discovery-options.ts';
import { parsePoolSpec } from '../backends/index.ts';
import type { ReadPool } from '../admission/check-pool.ts';

/** Reads the spec of a pool of whatever kind, exactly as the agents do. */
export const readPool: ReadPool = (spec) =>
  isDiscoverySpec(spec) ? parseDiscoverySpec(spec) : parsePoolSpec(spec);
