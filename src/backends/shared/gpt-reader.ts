import { open } from 'node:fs/promises';
import type { Disk } from '../../model/disk.ts';
import type { Result } from '../../model/result.ts';
import type { RunCommand } from '../../platform/run-command.ts';
import { firstUsable, isOfContent, readTable, type Table } from './gpt-table.ts';

export type ReadTable = (disk: Pick<Disk, 'path' | 'bytes'>) => Promise<Result<Table, string>>;

/**
 * Reads tables as `readTable` does. What a table says stays the same as long as its bytes do, so a
 * program is started only where those of either copy have changed.
 */
export function tableReader(run: RunCommand): ReadTable {
  const known = new Map<string, { readonly seen: Buffer; readonly table: Result<Table, string> }>();
  return async (disk) => {
    const { path } = disk;
    const seen = await bytesOfTable(disk);
    const last = known.get(path);
    if (seen !== undefined && last?.seen.equals(seen)) {
      return last.table;
    }
    known.delete(path);
    const table = await readTable(path, run);
    // Between the two looks somebody may have written what these bytes do not say.
    const after = await bytesOfTable(disk);
    const isLasting = table.ok || isOfContent(table.error);
    if (isLasting && seen !== undefined && after?.equals(seen)) {
      known.set(path, { seen, table });
    }
    return table;
  };
}

/** Both copies, as far as the tables of pools reach. @returns nothing where they cannot be read */
async function bytesOfTable({
  path,
  bytes,
}: Pick<Disk, 'path' | 'bytes'>): Promise<Buffer | undefined> {
  try {
    const handle = await open(path, 'r');
    try {
      const ends = [0, Math.max(0, bytes - firstUsable)];
      const parts: Buffer[] = [];
      for (const at of ends) {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(firstUsable), {
          position: at,
        });
        parts.push(buffer.subarray(0, bytesRead));
      }
      return Buffer.concat(parts);
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}
