import { readFile } from 'node:fs/promises';
import { describeError } from '../model/errors.ts';
import type { Log } from '../usecases/ports.ts';

/** What tells this machine from another under the same node name; empty where it has nothing. */
export async function readMachineId(file: string, log: Log): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    log.warn('the machine has no id that can be read', { file, error: describeError(error) });
    return '';
  }
}
