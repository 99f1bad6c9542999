import { readdir, readlink, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { freshLinkSuffix, ifThere } from '../../platform/files.ts';
import { mountsOfAll } from '../../platform/mount-points.ts';
import { dataName, recordPath } from './folder-place.ts';
import { readRecord } from './folder-record.ts';

/** A link to a volume's data; links to devices are other backends'. */
const dataLink = new RegExp(`/pvc-[^/]+/${dataName}$`);

/** See `Backend.dropStaleLinks`. A link that cannot be proven right goes too: attaching makes it anew. */
export async function dropStaleLinks(runDir: string): Promise<void> {
  const names = (await ifThere(readdir(runDir))) ?? [];
  const judge = async (name: string): Promise<void> => {
    const target = (await ifThere(readlink(`${runDir}/${name}`))) ?? '';
    const isOurs = dataLink.test(target);
    if (isOurs && (name.endsWith(freshLinkSuffix) || !(await proves(target, name)))) {
      await rm(`${runDir}/${name}`, { force: true });
    }
  };
  await Promise.all(names.map(judge));
}

async function proves(target: string, name: string): Promise<boolean> {
  const folder = dirname(target);
  const record = await readRecord(recordPath(folder));
  return basename(folder) === name && record.ok && record.value.name === name;
}

/**
 * A directory that somebody has mounted can be removed all the same: the kernel does not mind, so
 * this looks at the mounts of all processes. The volume's name is its claim's own, and stands in
 * what is mounted, whatever the place it is mounted at and however deep below the data it begins.
 *
 * @throws Error while the data of the volume, or something below it, is mounted anywhere
 */
export async function refuseIfMounted(name: string): Promise<void> {
  const data = `/${name}/${dataName}/`;
  const isData = (path: string): boolean => `${path}/`.includes(data);
  const users = (await mountsOfAll()).filter(
    ({ root, mountPoint }) => isData(root) || isData(mountPoint),
  );
  const [first] = users;
  if (first !== undefined) {
    throw new Error(
      `the data of ${name} is mounted at ${first.mountPoint}, and at ${users.length - 1} other places: it is left until nobody uses it`,
    );
  }
}
