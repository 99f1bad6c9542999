import type { RunCommand } from '../platform/run-command.ts';
import type { CleanMedium } from '../usecases/discovery-ports.ts';
import { emptyFilesystem } from './discovery-empty.ts';
import { wipeDevice } from './discovery-wipe.ts';

/** Cleans what a discovery directory holds, as its pool asks. */
export function cleanMedium(run: RunCommand): CleanMedium {
  return async (entry, { clean }, signal) => {
    const { kind, path, id = '', source = '', bytes, use } = entry;
    if (use !== undefined) {
      throw new Error(use);
    }
    if (kind === 'device') {
      return wipeDevice({ path: source, entry: path, id, bytes }, clean.device, run, signal);
    }
    return clean.filesystem === 'none'
      ? 'its files are left as they are'
      : emptyFilesystem({ path, id }, run, signal);
  };
}
