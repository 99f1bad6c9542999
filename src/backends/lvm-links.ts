import { access, readdir, readlink, rm } from 'node:fs/promises';
import { freshLinkSuffix, ifThere } from '../platform/files.ts';

/**
 * See `Backend.dropStaleLinks`. The device mapper names a device after its volume, so a link can
 * only lead to nothing, never to another volume.
 */
export async function dropStaleLvmLinks(runDir: string): Promise<void> {
  const names = (await ifThere(readdir(runDir))) ?? [];
  const judge = async (name: string): Promise<void> => {
    const target = await readlink(`${runDir}/${name}`);
    const isStale =
      isDeviceOf(target, name) && (await ifThere(access(target).then(isThere))) !== true;
    if (isStale || name.endsWith(freshLinkSuffix)) {
      await rm(`${runDir}/${name}`, { force: true });
    }
  };
  await Promise.all(names.map(judge));
}

const isThere = (): true => true;

/** Hyphens in names are doubled, since one stands between group and volume. */
function isDeviceOf(target: string, name: string): boolean {
  return target.startsWith('/dev/mapper/') && target.endsWith(`-${name.replaceAll('-', '--')}`);
}
