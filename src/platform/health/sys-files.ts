import { readFile } from 'node:fs';
import { promisify } from 'node:util';

/** Hundreds of files are read with every look: that of `node:fs/promises` leaves four times the garbage. */
const read = promisify(readFile);

/** A file of /sys or /proc without the blanks around it; nothing where it cannot be read. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return (await read(path, 'utf8')).trim();
  } catch {
    return undefined;
  }
}

/** A number of any base that C knows, as `12` or `0x1f`; nothing where there is none. */
export async function readNumber(path: string): Promise<number | undefined> {
  const text = await readText(path);
  const number = text === undefined || text === '' ? NaN : Number(text);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** The same until the machine starts again. */
export async function bootId(): Promise<string> {
  return (await readText('/proc/sys/kernel/random/boot_id')) ?? '';
}
