import { access } from 'node:fs/promises';
import { ifThere } from './files.ts';
import type { RunCommand } from './run-command.ts';

/** What is on a device: a partition table, something else, or both. */
export interface Signatures {
  readonly table?: string | undefined;
  readonly content?: string | undefined;
}

const tables: readonly string[] = ['gpt', 'dos', 'sun', 'sgi', 'mac', 'bsd', 'atari', 'minix'];

/**
 * lsblk asks udev what is on a device, and says nothing where udev does not run. Then it has to be
 * read: this reads the devices at these paths.
 *
 * @returns nothing for those that nothing is known to be on
 */
export async function readSignatures(
  paths: readonly string[],
  run: RunCommand,
): Promise<ReadonlyMap<string, Signatures>> {
  const isUdevThere = (await ifThere(access('/run/udev/control').then(() => true))) ?? false;
  if (isUdevThere || paths.length === 0) {
    return new Map();
  }
  try {
    return await read(paths, run);
  } catch {
    // One that cannot be read must not hide the others.
    const each = await Promise.all(
      paths.map(async (path) =>
        read([path], run).catch(() => new Map([[path, { content: 'what cannot be read' }]])),
      ),
    );
    return new Map(each.flatMap((one) => [...one]));
  }
}

async function read(
  paths: readonly string[],
  run: RunCommand,
): Promise<ReadonlyMap<string, Signatures>> {
  const text = (await run('wipefs', ['--json', ...paths])).trim();
  const { signatures } = JSON.parse(text || '{"signatures":[]}') as {
    signatures: readonly { readonly device: string; readonly type: string }[];
  };
  const found = new Map<string, Signatures>();
  for (const { device, type } of signatures.filter((each) => each.type !== 'PMBR')) {
    const path = `/dev/${device}`;
    const isTable = tables.includes(type);
    found.set(path, { ...found.get(path), ...(isTable ? { table: type } : { content: type }) });
  }
  return found;
}
