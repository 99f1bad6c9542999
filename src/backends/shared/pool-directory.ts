import { access, constants, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, ifThere } from '../../platform/files.ts';
import { PoolUnusableError } from '../../usecases/ports.ts';

/**
 * Makes sure that a pool can live in the directory. Makes at most the last part of the path,
 * and that only for a pool without volumes: an unmounted disk must not be filled in silently.
 *
 * @param backend - whose option names the directory
 * @throws PoolUnusableError
 */
export async function checkDirectory(
  backend: string,
  directory: string,
  hasVolumes: boolean,
): Promise<void> {
  const field = `${backend}.directory is "${directory}"`;
  try {
    let found = await ifThere(stat(directory));
    if (found === undefined && hasVolumes) {
      throw new PoolUnusableError(
        `${field}: it is missing, and volumes were made in it; is its disk mounted?`,
      );
    }
    if (found === undefined) {
      await mkdir(directory, { mode: 0o700 });
      found = await stat(directory);
    }
    if (!found.isDirectory()) {
      throw new PoolUnusableError(`${field}: it is not a directory, which alone is allowed`);
    }
    await access(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw directoryError(error, field, directory);
  }
}

function directoryError(error: unknown, field: string, directory: string): unknown {
  switch (errorCode(error)) {
    case 'ENOENT':
      return new PoolUnusableError(
        `${field}: ${dirname(directory)} does not exist; a directory, or a name in an existing one, is allowed`,
      );
    case 'ENOTDIR':
    case 'EEXIST':
      return new PoolUnusableError(`${field}: a part of the path is not a directory`);
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return new PoolUnusableError(`${field}: it is read-only; a writable directory is allowed`);
    default:
      return error;
  }
}
