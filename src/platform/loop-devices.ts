import type { BigIntStats } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { oneAtATime, sharedLook } from '../usecases/one-at-a-time.ts';
import { refuseIfHeld } from './held.ts';
import { devicesPassingTrims, setTrims, type Trims } from './loop-trims.ts';
import { CommandError, type RunCommand } from './run-command.ts';
import { sleep } from './sleep.ts';

/** A loop device that has a file behind it. */
export interface LoopDevice {
  /** `/dev/loopN`. */
  readonly path: string;
  /** Where the file was found when it was attached; only for people, and as a first guess. */
  readonly backFile: string;
  /** Which file it is, whatever its name is now: see `fileIdentity`. */
  readonly file: string;
  readonly offset: number;
  /** What of the file it shows at most; 0 where it shows all to its end. */
  readonly sizeLimit: number;
}

export interface LoopDevices {
  /** Every loop device that has a file behind it. */
  list(): Promise<readonly LoopDevice[]>;
  /** Puts the file, from `offset` to its end, behind a free device. @returns its path */
  attach(file: string, offset: number, trims: Trims): Promise<string>;
  /** Makes sure that the device shows `bytes`, to whoever uses it, once its file has grown to that. */
  follow(device: string, bytes: number): Promise<void>;
  /** Takes the file away from the device. @throws Error while somebody uses the device */
  detach(device: LoopDevice): Promise<void>;
}

/** So often another number is looked for that passes trims on: somebody else may be faster. */
const mostTries = 3;

/** The device and inode of a file: what a loop device really holds on to. */
export function fileIdentity({ dev, ino }: Pick<BigIntStats, 'dev' | 'ino'>): string {
  // The layout of dev_t in glibc: sys/sysmacros.h, gnu_dev_major and gnu_dev_minor.
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
  return `${major}:${minor}/${ino}`;
}

const columns = 'NAME,BACK-FILE,BACK-INO,BACK-MAJ:MIN,OFFSET,SIZELIMIT';

export function loopDevices(run: RunCommand): LoopDevices {
  const nextPassing = devicesPassingTrims();
  const inTurn = oneAtATime();
  const list = sharedLook(async () => {
    const text = await run('losetup', ['--list', '--json', '--output', columns]);
    return parseDevices(text);
  });

  async function attach(file: string, offset: number, trims: Trims): Promise<string> {
    const device =
      trims === 'passed' ? await attachPassing(file, offset) : await attachTo(file, offset);
    if (trims === 'dropped') {
      // Not waited for: changing a queue takes the kernel some 20 ms, and nobody formats the
      // volume before somebody else has read that it is ready.
      void setTrims(device, trims);
    }
    // The number may have had a file before whose device somebody made read-only: that stays.
    if ((await readFile(`/sys/block/${basename(device)}/ro`, 'utf8')).trim() !== '0') {
      await run('blockdev', ['--setrw', device]);
    }
    return device;
  }

  async function attachPassing(file: string, offset: number): Promise<string> {
    const found = await attachTo(file, offset);
    if (await setTrims(found, 'passed')) {
      return found;
    }
    const better = await inTurn(() => attachToAnother(file, offset));
    if (better === undefined) {
      return found;
    }
    await run('losetup', ['--detach', found]);
    return better;
  }

  /** @returns undefined where somebody else was faster with every number tried */
  async function attachToAnother(file: string, offset: number): Promise<string | undefined> {
    for (let tries = 0; tries < mostTries; tries += 1) {
      const device = await nextPassing();
      try {
        await losetup(file, offset, [device]);
        return device;
      } catch (error) {
        if (!(error instanceof CommandError)) {
          throw error;
        }
      }
    }
    return undefined;
  }

  async function attachTo(file: string, offset: number): Promise<string> {
    return (await losetup(file, offset, ['--find', '--show'])).trim();
  }

  async function losetup(file: string, offset: number, to: readonly string[]): Promise<string> {
    const args = ['--offset', String(offset), ...to, file];
    try {
      // Past the page cache, so that every byte is cached once and not twice.
      return await run('losetup', ['--direct-io=on', ...args]);
    } catch {
      return run('losetup', args);
    }
  }

  async function follow(device: string, bytes: number): Promise<void> {
    const shows = async (): Promise<number> =>
      512 * Number(await readFile(`/sys/block/${basename(device)}/size`, 'utf8'));
    if ((await shows()) >= bytes) {
      return;
    }
    await run('losetup', ['--set-capacity', device]);
    const size = await shows();
    if (size < bytes) {
      throw new Error(`${device} shows ${size} bytes of its file, which has ${bytes}`);
    }
  }

  async function detach(device: LoopDevice): Promise<void> {
    await refuseIfHeld(device.path);
    await run('losetup', ['--detach', device.path]);
    // The kernel detaches a device that is open only when its last user has closed it. A look by
    // udev takes some milliseconds; what lasts longer is a user that must end first.
    for (let looks = 0; looks < 25; looks += 1) {
      const devices = await list();
      if (!devices.some(({ path, file }) => path === device.path && file === device.file)) {
        return;
      }
      await sleep(20);
    }
    throw new Error(
      `${device.path} is still open somewhere: ${device.backFile} is kept until then`,
    );
  }

  return { list, attach, follow, detach };
}

function parseDevices(text: string): readonly LoopDevice[] {
  if (text.trim() === '') {
    return [];
  }
  const { loopdevices } = JSON.parse(text) as { loopdevices: Record<string, unknown>[] };
  return loopdevices.map((row) => ({
    path: String(row['name']),
    backFile: String(row['back-file']),
    file: `${String(row['back-maj:min']).trim()}/${String(row['back-ino'])}`,
    offset: Number(row['offset']),
    sizeLimit: Number(row['sizelimit']),
  }));
}
