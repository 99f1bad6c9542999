import { constants, type Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { whyNoKey } from '../model/encryption.ts';
import { PermanentError } from '../model/errors.ts';
import { errorCode } from './files.ts';

/**
 * Reads the key of a class from a directory of the node. Only root may be able to read the file, or
 * to put another one in its place.
 *
 * @param name - safe in a path: the caller has checked it
 * @throws PermanentError that says what is wrong with the file, and never what is in it
 */
export async function readKeyFile(directory: string, name: string): Promise<Uint8Array> {
  const path = `${directory}/${name}`;
  const refuse = (why: string | undefined): void => {
    if (why !== undefined) {
      throw new PermanentError(`key file ${path}: ${why}`);
    }
  };
  try {
    refuse(whyNotRoots(await stat(directory), 0o022, `directory ${directory}`));
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const found = await handle.stat();
      refuse(found.isFile() ? undefined : 'it is no regular file');
      refuse(whyNotRoots(found, 0o077, 'it'));
      refuse(whyNoKey(found.size));
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    refuse(errorCode(error) === 'ENOENT' ? 'it is not there' : undefined);
    refuse(errorCode(error) === 'ELOOP' ? 'it is a link, which is not followed' : undefined);
    throw error;
  }
}

/** @param forbidden - the bits of the mode that let others in */
function whyNotRoots(
  { uid, mode }: Pick<Stats, 'uid' | 'mode'>,
  forbidden: number,
  what: string,
): string | undefined {
  if (uid !== 0) {
    return `${what} belongs to user ${uid}: it must belong to root`;
  }
  const bits = mode & 0o777;
  return (bits & forbidden) === 0
    ? undefined
    : `${what} has mode ${octal(bits)}: at most ${octal(0o777 & ~forbidden)} is allowed`;
}

function octal(bits: number): string {
  return bits.toString(8).padStart(4, '0');
}
