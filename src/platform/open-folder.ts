import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';

/**
 * A directory that is held open: what is done below `path` is done in this very directory,
 * whatever is mounted, unmounted or renamed at its name in the meantime.
 */
export interface OpenFolder {
  /** Leads here for as long as it is open, for programs that are started as well. */
  readonly path: string;
  /** The id of the mount that it was opened through. */
  readonly mountId: string;
  close(): Promise<void>;
}

/** @throws Error with the code ENOTDIR or ELOOP where the name is a link or no directory */
export async function openFolder(path: string): Promise<OpenFolder> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  const handle = await open(path, flags);
  try {
    const info = await readFile(`/proc/self/fdinfo/${handle.fd}`, 'utf8');
    const mountId = /^mnt_id:\s*(\d+)$/m.exec(info)?.[1];
    if (mountId === undefined) {
      throw new Error(`${path}: the kernel does not say which mount it is on`);
    }
    return {
      path: `/proc/${process.pid}/fd/${handle.fd}`,
      mountId,
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
