import { readFileSync, readdirSync } from 'node:fs';

import { waitFor } from './wait.ts';

/**
 * Every process of a cluster carries this variable, and hands it on to its children (containerd to its shims).
 * So the processes of a cluster can be found at any time, also after the harness was killed outright; a list of
 * pids in a file would miss what was started a moment before, and would name strangers once pids are used again.
 */
export const OWNER_VARIABLE = 'BERTH_CLUSTER_DIR';
export const ROLE_VARIABLE = 'BERTH_CLUSTER_ROLE';

export interface OwnedProcess {
  pid: number;
  dir: string;
  role: string;
}

/** The live processes that belong to the cluster in `dir`, or to any cluster. */
export function ownedProcesses(dir?: string): OwnedProcess[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => ownedProcess(Number(entry)))
    .filter((found) => found !== undefined)
    .filter((found) => dir === undefined || found.dir === dir);
}

function ownedProcess(pid: number): OwnedProcess | undefined {
  const environment = readProc(pid, 'environ').split('\0');
  const dir = valueOf(environment, OWNER_VARIABLE);
  // The environment of a zombie is empty, so what waits to be reaped is not counted.
  if (dir === undefined || pid === process.pid) return undefined;
  return { pid, dir, role: valueOf(environment, ROLE_VARIABLE) ?? '' };
}

function valueOf(environment: readonly string[], name: string): string | undefined {
  const entry = environment.find((line) => line.startsWith(`${name}=`));
  return entry?.slice(name.length + 1);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    // It ended meanwhile, or belongs to another user: not ours in both cases.
    return '';
  }
}

/** Sends a signal; a process that has ended already is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Kills whatever `list` names until it names nothing any more; what is killed may be starting children. */
export async function killUntilGone(what: string, list: () => number[]): Promise<void> {
  await waitFor(
    `${what} to end`,
    () => {
      const pids = list();
      for (const pid of pids) signalProcess(pid, 'SIGKILL');
      return pids.length === 0;
    },
    { timeoutMs: 20_000, intervalMs: 20, explain: () => `still there: ${list().join(' ')}` },
  );
}
