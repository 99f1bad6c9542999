import { Counter, Gauge, type Registry } from 'prom-client';
import type { HealthMeter } from '../../usecases/health-ports.ts';

/** Counts what is seen of devices, for Prometheus. */
export function healthMeter(registry: Registry): HealthMeter {
  const registers = [registry];
  const errors = new Counter({
    name: 'berth_node_disk_errors_total',
    help: 'Looks at a device that found something wrong with it, by what it was.',
    labelNames: ['device', 'reason'],
    registers,
  });
  const unwell = new Gauge({
    name: 'berth_node_unwell',
    help: 'Devices, pools and volumes of this node that are suspect or failing.',
    labelNames: ['kind', 'state'],
    registers,
  });
  const troubled = new Gauge({
    name: 'berth_node_disk_trouble',
    help: 'What is wrong with a device now, by what it is; 1 while it is.',
    labelNames: ['device', 'reason', 'state'],
    registers,
  });
  return {
    troubles: (all) => {
      troubled.reset();
      all.forEach(({ device, reason, state }) => troubled.set({ device, reason, state }, 1));
    },
    seen: (device, reason) => errors.inc({ device, reason }),
    ill: (counts) => counts.forEach(({ kind, state, count }) => unwell.set({ kind, state }, count)),
  };
}
