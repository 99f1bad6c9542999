import { Gauge, type Registry } from 'prom-client';
import type { IoLimitMeter } from '../usecases/io-limit-ports.ts';

/** Counts, for Prometheus, where limits for reading and writing hold. */
export function ioLimitMeter(registry: Registry): IoLimitMeter {
  const limited = new Gauge({
    name: 'berth_node_io_limited_volumes',
    help: 'Volumes in use whose limits for reading and writing hold, and those where they do not.',
    labelNames: ['applied'],
    registers: [registry],
  });
  return {
    count: (applied, failed) => {
      limited.set({ applied: 'true' }, applied);
      limited.set({ applied: 'false' }, failed);
    },
  };
}
