import { readFileSync } from 'node:fs';

import type { Program } from '../cluster/program.ts';

/** Linux counts CPU time in ticks of a hundredth of a second, on every architecture (proc(5)). */
const tickMs = 10;

/** The most memory a process has ever had resident, in MiB. */
export function peakMemory(program: Program): number {
  return memoryOf('status', program, 'VmHWM');
}

/** The memory a process has resident now, in MiB. */
export function residentMemory(program: Program): number {
  return memoryOf('status', program, 'VmRSS');
}

/** The part of it that it shares with nobody and no file: what is left out is mostly Node.js itself. */
export function ownMemory(program: Program): number {
  return memoryOf('status', program, 'RssAnon');
}

/** The memory it has resident, with what it shares divided among all who do: another process of Node.js shares its code. */
export function proportionalMemory(program: Program): number {
  return memoryOf('smaps_rollup', program, 'Pss');
}

/** CPU time a process has used so far, in its own code and in the kernel, in milliseconds. */
export function cpuMs(program: Program): number {
  const stat = readFileSync(`/proc/${pidOf(program)}/stat`, 'utf8');
  // The name of the program may hold blanks; what follows it are fields 3 and up.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

function memoryOf(file: 'status' | 'smaps_rollup', program: Program, field: string): number {
  const text = readFileSync(`/proc/${pidOf(program)}/${file}`, 'utf8');
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  return Number(kibibytes) / 1024;
}

function pidOf(program: Program): number {
  const { pid } = program;
  if (pid === undefined) {
    throw new Error(`${program.spec.role} does not run`);
  }
  return pid;
}
