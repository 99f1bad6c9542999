import { bytes, type Bytes } from '../model/bytes.ts';
import { CommandError, type RunCommand } from '../platform/run-command.ts';
import { sharedLook } from '../usecases/one-at-a-time.ts';

/** The quota group that each subvolume has of its own, called `0/<id of the subvolume>`. */
interface QuotaGroup {
  readonly used: Bytes;
  /** Missing where it has none. */
  readonly limit: Bytes | undefined;
}

/** The quota groups of the filesystem that one directory is on. */
export interface BtrfsQuota {
  /** Makes sure that the filesystem counts: turns quota on where it is off, and waits until all is counted. */
  enable(signal: AbortSignal): Promise<void>;
  groups(): Promise<ReadonlyMap<number, QuotaGroup>>;
  /** Subvolumes by id, with the id of the one that each lies in. */
  parents(): Promise<ReadonlyMap<number, number>>;
  limit(id: number, size: Bytes): Promise<void>;
  /** Takes the group of a subvolume away that has gone. May be repeated. */
  destroy(id: number): Promise<void>;
}

export function btrfsQuota(directory: string, run: RunCommand): BtrfsQuota {
  // As a table: this program's older versions cannot write numbers of bytes as JSON.
  const show = (): Promise<string> => run('btrfs', ['qgroup', 'show', '--raw', '-r', directory]);

  return {
    enable: async (signal) => {
      try {
        await show();
      } catch (error) {
        if (!says(error, 'not enabled')) {
          throw error;
        }
        await run('btrfs', ['quota', 'enable', directory], signal);
        await run('btrfs', ['quota', 'rescan', '-w', directory], signal);
      }
    },
    groups: sharedLook(async () => parseGroups(await show())),
    parents: async () => {
      const rows = (await run('btrfs', ['subvolume', 'list', directory])).matchAll(
        /^ID (\d+) gen \d+ top level (\d+) /gm,
      );
      return new Map([...rows].map(([, id, parent]) => [Number(id), Number(parent)]));
    },
    limit: async (id, size) => {
      await run('btrfs', ['qgroup', 'limit', String(size), `0/${id}`, directory]);
    },
    destroy: async (id) => {
      try {
        await run('btrfs', ['qgroup', 'destroy', `0/${id}`, directory]);
      } catch (error) {
        // Newer kernels take it away with the subvolume; without quota there is none.
        if (!says(error, 'No such file or directory') && !says(error, 'not connected')) {
          throw error;
        }
      }
    },
  };
}

function says(error: unknown, text: string): boolean {
  return error instanceof CommandError && error.stderr.includes(text);
}

/** Lines such as `0/256  16384  16384  4194304  pool/pvc-1/data`: referenced, exclusive, limit. */
function parseGroups(text: string): ReadonlyMap<number, QuotaGroup> {
  const rows = [...text.matchAll(/^0\/(\d+)\s+(\d+)\s+\d+\s+(none|\d+)/gm)];
  return new Map(
    rows.map(([, id, used, limit]) => [
      Number(id),
      { used: bytes(Number(used)), limit: limit === 'none' ? undefined : bytes(Number(limit)) },
    ]),
  );
}
