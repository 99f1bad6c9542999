import { open, stat } from 'node:fs/promises';
import { headerBytes } from '../../model/encryption.ts';
import type { VolumeIdentity } from '../../model/volume.ts';
import type { LuksHeader } from '../../usecases/encryption-ports.ts';

/**
 * A header has two texts for whoever makes it: `label` gets the name of the volume, `subsystem`
 * whose it is and its uid. Both change in one step. LUKS2 keeps 47 bytes of each and drops the rest.
 */
const ownPrefix = 'berth:';
const partialPrefix = 'berth-new:';

export function namedAs({ name, volumeUid }: VolumeIdentity, isPartial: boolean): string[] {
  const prefix = isPartial ? partialPrefix : ownPrefix;
  return ['--label', name, '--subsystem', `${prefix}${volumeUid}`];
}

/** The first bytes of the two copies of a header. */
const magics = [
  { at: 0, magic: Buffer.from('LUKS\xba\xbe', 'latin1') },
  { at: 16 * 1024, magic: Buffer.from('SKUL\xba\xbe', 'latin1') },
];

/** Whether a device has, or had, a LUKS header; no directory has one. */
export async function hasMagic(path: string): Promise<boolean> {
  if (!(await stat(path)).isBlockDevice()) {
    return false;
  }
  const handle = await open(path, 'r');
  try {
    for (const { at, magic } of magics) {
      const { buffer } = await handle.read(Buffer.alloc(magic.length), 0, magic.length, at);
      if (buffer.equals(magic)) {
        return true;
      }
    }
    return false;
  } finally {
    await handle.close();
  }
}

/**
 * Reads what `cryptsetup luksDump` prints of a header of LUKS2.
 *
 * @throws Error where it is of a form that Berth does not make, although it says that it has
 */
export function parseHeader(dump: string, device: string): LuksHeader {
  const name = /^Label:\s+(\S+)$/m.exec(dump)?.[1];
  const subsystem = /^Subsystem:\s+(\S+)$/m.exec(dump)?.[1] ?? '';
  const prefix = [ownPrefix, partialPrefix].find((each) => subsystem.startsWith(each));
  const keys = sectionOf(dump, 'Keyslots').filter((line) => /^ {2}\d+: luks2/.test(line)).length;
  if (name === undefined || prefix === undefined) {
    return { partial: false, keys };
  }
  const offset = Number(/^\s+offset: (\d+) \[bytes\]$/m.exec(dump)?.[1]);
  if (offset !== headerBytes) {
    throw new Error(
      `the LUKS header of ${device} says that its data begins at byte ${offset}: ${headerBytes} is expected`,
    );
  }
  const owner = { name, volumeUid: subsystem.slice(prefix.length) };
  return { owner, partial: prefix === partialPrefix, keys };
}

/** The lines below a heading, to the next one. */
function sectionOf(dump: string, heading: string): readonly string[] {
  const lines = dump.split('\n');
  const from = lines.indexOf(`${heading}:`) + 1;
  const length = lines.slice(from).findIndex((line) => /^\S/.test(line));
  return from === 0 ? [] : lines.slice(from, length < 0 ? undefined : from + length);
}
