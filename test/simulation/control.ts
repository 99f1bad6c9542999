import { setMaxListeners } from 'node:events';
import {
  controlParts,
  type ControlConfig,
  type ControlParts,
} from '../../src/commands/control-parts.ts';
import { runLoops } from '../../src/commands/control-loops.ts';
import type { ControlMetrics } from '../../src/http/control-metrics.ts';
import { bindPod, type BindPod } from '../../src/usecases/bind-pod.ts';
import { filterNodes, type FilterNodes } from '../../src/usecases/filter-nodes.ts';
import { prioritizeNodes, type PrioritizeNodes } from '../../src/usecases/prioritize-nodes.ts';
import { openClient } from './client.ts';
import type { Simulation } from './simulation.ts';
import type { Process } from './world.ts';

const controlConfig: ControlConfig = {
  kubeconfig: '',
  namespace: 'berth-system',
  listenAddress: '',
  port: 0,
  opsAddress: '',
  opsPort: 0,
  nodeSilentAfter: 120_000,
  readyTimeout: 20_000,
  abandonedAfter: 60_000,
};

/** One replica of control: its verbs, and what it knows. */
export interface Control {
  readonly process: Process;
  readonly parts: ControlParts;
  readonly filter: FilterNodes;
  readonly prioritize: PrioritizeNodes;
  readonly bind: BindPod;
}

/** Starts a real replica of control; its verbs are called without HTTP between. */
export function startControl(simulation: Simulation, name: string): Control {
  const { world, logOf, mutation } = simulation;
  const process = world.process(name);
  const client = openClient(simulation.accessOf(process));
  const whole = controlParts(client, controlConfig, logOf(process));
  const parts = mutation.control?.(whole) ?? whole;
  const { signal } = new AbortController();
  // As the role itself does: every loop listens.
  setMaxListeners(0, signal);
  const metrics = { reconcileFailed: () => {} } as unknown as ControlMetrics;
  world.after(0, process, () => {
    void parts.state.run(signal);
    void runLoops(parts, controlConfig, metrics, signal);
  });
  return {
    process,
    parts,
    filter: filterNodes({ ...parts, nextChange: parts.changes.next }),
    prioritize: prioritizeNodes(parts),
    bind: bindPod({ ...parts, lookup: parts.liveLookup }),
  };
}
