import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '../../model/health.ts';
import type { HealthReader } from '../../usecases/health-ports.ts';
import { readNumber, readText } from './sys-files.ts';

/**
 * Errors that ext4 has met. It keeps the count on the disk until e2fsck has repaired all. Shown by
 * the kernel wherever the filesystem is mounted, so no mount needs to be seen.
 */
export function ext4Errors(sys = '/sys'): HealthReader {
  return async (devices) => {
    const looks = devices.map(async ({ name }): Promise<readonly Finding[]> => {
      const folder = join(sys, 'fs/ext4', name);
      const count = await readNumber(join(folder, 'errors_count'));
      const about = { device: name, reason: 'FilesystemErrors' } as const;
      if (count === undefined || count === 0) {
        return count === 0 ? [about] : [];
      }
      const [at, where] = await Promise.all([
        readNumber(join(folder, 'last_error_time')),
        readText(join(folder, 'last_error_func')),
      ]);
      const when = at === undefined ? '' : ` at ${new Date(at * 1000).toISOString()}`;
      const message = `ext4 on ${name} has met ${count} error(s), the last${when} in ${where ?? ''}; e2fsck repairs it`;
      return [{ ...about, message }];
    });
    return (await Promise.all(looks)).flat();
  };
}

/** What of it means that data was not written, or not as it was meant. */
const btrfsCounters = ['write_errs', 'flush_errs', 'corruption_errs', 'generation_errs'];

/** Errors that btrfs has met on its devices. It keeps the counts until they are set to zero. */
export function btrfsErrors(sys = '/sys'): HealthReader {
  const root = join(sys, 'fs/btrfs');

  async function look(uuid: string): Promise<{ wrong: string; isRead: boolean }> {
    const folder = join(root, uuid, 'devinfo');
    const ids = await readdir(folder).catch(() => []);
    const texts = await Promise.all(
      ids.map(async (id) => {
        const stats = (await readText(join(folder, id, 'error_stats'))) ?? '';
        const missing = (await readText(join(folder, id, 'missing'))) === '1';
        return { stats, wrong: missing ? [`device ${id} is missing`] : wrongIn(stats, id) };
      }),
    );
    const isRead = texts.length > 0 && texts.every(({ stats }) => stats !== '');
    return { isRead, wrong: texts.flatMap(({ wrong }) => wrong).join(', ') };
  }

  return async (devices) => {
    const found: Finding[] = [];
    for (const uuid of await readdir(root).catch(() => [])) {
      const members = await readdir(join(root, uuid, 'devices')).catch((): string[] => []);
      const ours = devices.filter(({ name }) => members.includes(name));
      if (ours.length === 0) {
        continue;
      }
      const { wrong, isRead } = await look(uuid);
      const text = `btrfs ${uuid}: ${wrong}; \`btrfs device stats -z\` sets the counts to zero after a repair`;
      const message = wrong === '' ? undefined : text;
      const isNews = isRead || message !== undefined;
      found.push(
        ...(isNews ? ours : []).map(({ name: device }): Finding => ({
          device,
          reason: 'FilesystemErrors',
          message,
        })),
      );
    }
    return found;
  };
}

function wrongIn(stats: string, id: string): readonly string[] {
  return stats
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([name = '', count]) => btrfsCounters.includes(name) && Number(count) > 0)
    .map(([name = '', count = '']) => `${name} of device ${id} is ${count}`);
}
