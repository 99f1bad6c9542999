import { Gauge, Histogram, type Registry } from 'prom-client';
import { sumBytes } from '../model/bytes.ts';
import type { NodeMeter } from '../usecases/node-ports.ts';

const diskStates = ['used', 'refused', 'leaving', 'missing'] as const;

/** Counts what the agent does, for Prometheus. */
export function nodeMeter(registry: Registry): NodeMeter {
  const registers = [registry];
  const operations = new Histogram({
    name: 'berth_node_volume_operations_seconds',
    help: 'How long making, attaching, formatting and removing volumes took.',
    labelNames: ['operation', 'result'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120],
    registers,
  });
  const poolBytes = new Gauge({
    name: 'berth_node_pool_bytes',
    help: 'Size of each pool of this node, what is free and what volumes occupy.',
    labelNames: ['pool', 'kind'],
    registers,
  });
  const thinUsed = new Gauge({
    name: 'berth_node_thin_pool_used_ratio',
    help: 'The part of each thin pool that is written, and of its metadata, 0 to 1.',
    labelNames: ['pool', 'kind'],
    registers,
  });
  const healthy = new Gauge({
    name: 'berth_node_pool_healthy',
    help: '1 where the pool can be used, 0 where it cannot.',
    labelNames: ['pool'],
    registers,
  });
  const orphans = new Gauge({
    name: 'berth_node_orphans',
    help: 'Things on disk that nobody asks for.',
    labelNames: ['pool'],
    registers,
  });
  const orphanBytes = new Gauge({
    name: 'berth_node_orphan_bytes',
    help: 'What those occupy.',
    labelNames: ['pool'],
    registers,
  });
  const lostVolumes = new Gauge({
    name: 'berth_node_lost_volumes',
    help: 'Volumes that were made and whose disk has vanished.',
    labelNames: ['pool'],
    registers,
  });
  const disks = new Gauge({
    name: 'berth_node_pool_disks',
    help: 'Disks of each pool that is made of disks, by state.',
    labelNames: ['pool', 'state'],
    registers,
  });
  const devices = new Gauge({
    name: 'berth_node_devices',
    help: 'Disks of this node, and whether a pool may take them.',
    labelNames: ['available'],
    registers,
  });
  return {
    timed: async (operation, work) => {
      const end = operations.startTimer({ operation });
      try {
        const value = await work();
        end({ result: 'success' });
        return value;
      } catch (error) {
        end({ result: 'failure' });
        throw error;
      }
    },
    pools: (standing, allocated, lost) => {
      [poolBytes, thinUsed, healthy, orphans, orphanBytes, lostVolumes, disks].forEach((gauge) =>
        gauge.reset(),
      );
      const available = standing.devices.filter((device) => device.available).length;
      devices.set({ available: 'true' }, available);
      devices.set({ available: 'false' }, standing.devices.length - available);
      for (const {
        name: pool,
        total,
        free,
        healthy: isHealthy,
        disks: ofPool,
        thin,
      } of standing.pools) {
        if (thin) {
          thinUsed.set({ pool, kind: 'data' }, thin.usedPercent / 100);
          thinUsed.set({ pool, kind: 'metadata' }, thin.metadataUsedPercent / 100);
        }
        poolBytes.set({ pool, kind: 'total' }, total);
        poolBytes.set({ pool, kind: 'free' }, free);
        poolBytes.set({ pool, kind: 'allocated' }, allocated.get(pool) ?? 0);
        healthy.set({ pool }, isHealthy ? 1 : 0);
        lostVolumes.set({ pool }, lost.get(pool) ?? 0);
        const unasked = standing.orphans.filter((orphan) => orphan.pool === pool);
        for (const state of diskStates) {
          const inState = ofPool?.filter((disk) => disk.state === state).length;
          if (inState !== undefined) {
            disks.set({ pool, state }, inState);
          }
        }
        orphans.set({ pool }, unasked.length);
        orphanBytes.set({ pool }, sumBytes(unasked.map(({ bytes }) => bytes)));
      }
    },
  };
}
