import { Counter, type Registry } from 'prom-client';
import type { RunCommand } from './run-command.ts';

/** The same, counted by program: an agent with nothing to do starts none. */
export function countedRuns(run: RunCommand, registry: Registry): RunCommand {
  const programs = new Counter({
    name: 'berth_node_programs_total',
    help: 'Programs that the agent has started.',
    labelNames: ['program'],
    registers: [registry],
  });
  return (program, ...rest) => {
    programs.inc({ program });
    return run(program, ...rest);
  };
}
