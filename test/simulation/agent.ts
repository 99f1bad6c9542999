import { setMaxListeners } from 'node:events';
import { parsePoolSpec } from '../../src/backends/index.ts';
import { assemble } from '../../src/commands/node.ts';
import { nodeParts, type NodeConfig, type NodeParts } from '../../src/commands/node-parts.ts';
import { bytes } from '../../src/model/bytes.ts';
import { parseQuantity } from '../../src/model/quantity.ts';
import { ok } from '../../src/model/result.ts';
import { openClient } from './client.ts';
import { simulatedBackend } from './disk.ts';
import type { Simulation } from './simulation.ts';
import type { Process } from './world.ts';

const config: NodeConfig = {
  kubeconfig: '',
  nodeName: '',
  namespace: 'berth-system',
  runDir: '/run',
  keyDir: '/nonexistent/keys',
  kubeletDir: '/nonexistent/kubelet',
  cgroupDir: '/nonexistent/cgroup',
  leaseRenew: 40_000,
  discoveryLook: 3_600_000,
  reportDelay: 100,
  listenAddress: '',
  port: 0,
  machineIdFile: '/nonexistent/machine-id',
  healthInterval: 0,
  healthProbeInterval: 0,
  healthQuiet: 0,
  hostMounts: '/nonexistent/mountinfo',
};

/** What the agent sees of its machine beside the pools: no disks, no filesystems in use, nothing encrypted. */
const simulatedNode: Pick<NodeParts, 'disks' | 'filesystems' | 'encryption'> = {
  disks: {
    now: async () => [],
    known: async () => [],
    present: async () => [],
    isOutdated: async () => false,
    version: async () => '',
    forget: () => {},
  },
  filesystems: {
    grow: async () => {},
    refuseUnknown: async () => {},
    isBlank: async () => true,
    blank: async () => {},
    make: async () => {},
    unmountLeft: async () => {},
  },
  encryption: { ofVolume: (_, storage) => storage, ofOrphan: (storage) => storage },
};

/** Starts the real agent of a node, over simulated disks. */
export async function startAgent(simulation: Simulation, node: string): Promise<Process> {
  const { world, faults, mutation } = simulation;
  const process = world.process(`agent-${node}`);
  const client = openClient(simulation.accessOf(process));
  const parse: typeof parsePoolSpec = (spec) => {
    const parsed = parsePoolSpec(spec);
    const limit = limitOf(spec);
    const believed = mutation.poolLimit?.(limit) ?? limit;
    return parsed.ok
      ? ok({
          ...parsed.value,
          open: (around) => {
            const disk = simulation.disk(node, around.pool);
            disk.limit = Math.max(disk.limit, limit);
            return simulatedBackend(around, { world, process, disk, limit: believed, faults });
          },
        })
      : parsed;
  };
  const log = simulation.logOf(process);
  const settings = { ...config, nodeName: node };
  const whole = { ...nodeParts(client, settings, log, { parse }), ...simulatedNode };
  const parts = mutation.agent?.(whole) ?? whole;
  const { signal } = new AbortController();
  // As the role itself does: every loop listens.
  setMaxListeners(0, signal);
  const agent = await assemble(parts, settings, log, signal);
  world.after(0, process, () => {
    Object.values(parts.memory).forEach((reflector) => void reflector.run(signal));
    void agent.run(signal);
  });
  return process;
}

function limitOf(spec: unknown): ReturnType<typeof bytes> {
  const { loop } = spec as { loop: { size: string } };
  const size = parseQuantity(loop.size);
  return size.ok ? size.value : bytes(0);
}
