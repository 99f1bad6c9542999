import { errorCode } from './files.ts';
import { CommandError } from './run-command.ts';

/** Whether a filesystem had no block, or no inode, for what was to be made in it. */
export function isOutOfSpace(error: unknown): boolean {
  return (
    errorCode(error) === 'ENOSPC' ||
    (error instanceof CommandError && error.stderr.includes('No space left'))
  );
}
