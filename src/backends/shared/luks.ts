import { realpath, rm } from 'node:fs/promises';
import { formatBytes } from '../../model/bytes.ts';
import { headerBytes } from '../../model/encryption.ts';
import type { ErasePolicy } from '../../model/volume.ts';
import { ensureLink } from '../../platform/files.ts';
import { refuseIfHeld } from '../../platform/held.ts';
import { kernelName, mappedDevice, numberOf } from '../../platform/mapped-devices.ts';
import { CommandError, type RunCommand } from '../../platform/run-command.ts';
import type { Key, Luks, LuksHeader, OnDevice } from '../../usecases/encryption-ports.ts';
import { ForeignVolumeError } from '../../usecases/ports.ts';
import { cryptsetupRunner, refuseWithoutMapper } from './luks-run.ts';
import { hasMagic, namedAs, parseHeader } from './luks-header.ts';
import { endsOf, zeroRegions } from './zeros.ts';

/**
 * A key of 32 random bytes cannot be found by trying, however cheap one try is. The usual function
 * takes up to 1 GiB of memory for each volume that is opened, to make a human's password stronger.
 */
const derivation = ['--pbkdf', 'pbkdf2', '--hash', 'sha256', '--pbkdf-force-iterations', '1000'];
const sectorBytes = 512;
const shape = [
  ...['--type', 'luks2', '--offset', String(headerBytes / sectorBytes)],
  ...['--cipher', 'aes-xts-plain64', '--key-size', '512'],
];

/**
 * LUKS2 by cryptsetup. The open volume `pvc-1` is `/dev/mapper/berth-pvc-1`; the link `pvc-1.crypt`
 * leads there. That of the backend, `pvc-1`, leads to what is encrypted.
 *
 * @param runDir - holds the links
 */
export function luks(run: RunCommand, runDir: string): Luks {
  const cryptsetup = cryptsetupRunner(run);
  const mapped = (name: string): string => `berth-${name}`;
  const pathOf = (name: string): string => `/dev/mapper/${mapped(name)}`;
  const linkOf = (name: string): string => `${runDir}/${name}.crypt`;

  async function look(device: string): Promise<LuksHeader | undefined> {
    return (await hasMagic(device))
      ? parseHeader(await cryptsetup(['luksDump', device]), device)
      : undefined;
  }

  async function close(name: string): Promise<void> {
    const there = await openVolume(mapped(name));
    if (there !== undefined) {
      // cryptsetup itself would try for seconds.
      await refuseIfHeld(there.path);
      await cryptsetup(['close', mapped(name)]);
    }
    await rm(linkOf(name), { force: true });
  }

  async function isOpen({ name, device }: OnDevice): Promise<boolean> {
    const there = await openVolume(mapped(name));
    if (there === undefined) {
      return false;
    }
    const below = await kernelName(device);
    if (there.lower.length === 1 && there.lower[0] === below) {
      return true;
    }
    await close(name);
    return false;
  }

  async function open(volume: OnDevice, key: Key, signal: AbortSignal): Promise<void> {
    if (await isOpen(volume)) {
      return;
    }
    const { device, name } = volume;
    const args = ['open', '--type', 'luks2', '--key-file=-', device, mapped(name)];
    await cryptsetup(args, { key, signal });
  }

  async function format(volume: OnDevice, key: Key, signal: AbortSignal): Promise<void> {
    const { device, name } = volume;
    await close(name);
    await refuseContent(device, run);
    const made = [...shape, ...derivation, ...namedAs(volume, true)];
    await cryptsetup(['luksFormat', '--batch-mode', ...made, '--key-file=-', device], {
      key,
      signal,
    });
    await open(volume, key, signal);
    const opened = await openVolume(mapped(name));
    if (opened === undefined) {
      throw new Error(`${pathOf(name)} was opened, and is not there`);
    }
    // What nobody has written decrypts to random bytes: now and then those look like something.
    await zeroRegions(opened.path, endsOf({ start: 0, bytes: opened.bytes }));
    await cryptsetup(['config', ...namedAs(volume, false), device]);
  }

  async function destroyKeys(
    device: string,
    erase: ErasePolicy,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const header = await look(device);
    if (header?.owner === undefined) {
      return undefined;
    }
    if (header.keys > 0) {
      await cryptsetup(['luksErase', '--batch-mode', device], { signal });
    }
    if (erase === 'discard') {
      await discard(device, run, signal);
    }
    // Last: as long as the header stands, whoever looks next goes on here.
    await zeroRegions(await realpath(device), [{ start: 0, bytes: headerBytes }]);
    return `its keys destroyed, the ${formatBytes(headerBytes)} of its header overwritten with zeros`;
  }

  return {
    check: () => refuseWithoutMapper(run),
    ...{ look, isOpen, format, open, close, destroyKeys },
    rename: async (volume) => {
      await cryptsetup(['config', ...namedAs(volume, false), volume.device]);
    },
    link: async (name) => {
      const number = (await openVolume(mapped(name)))?.number;
      if (number === undefined || number !== (await numberOf(pathOf(name)))) {
        throw new Error(`${pathOf(name)} is not the device ${number ?? 'of an open volume'}`);
      }
      await ensureLink(linkOf(name), pathOf(name));
      return linkOf(name);
    },
    follow: async (name, bytes, key, signal) => {
      const there = await openVolume(mapped(name));
      if (there !== undefined && there.bytes < bytes) {
        const args = ['resize', '--key-file=-', mapped(name)];
        await cryptsetup(args, { key: await key(), signal });
      }
    },
  };
}

/** @throws ForeignVolumeError when the name is taken by anything that is not encrypted with LUKS2 */
async function openVolume(name: string): ReturnType<typeof mappedDevice> {
  const there = await mappedDevice(name);
  if (there !== undefined && !there.uuid.startsWith('CRYPT-LUKS2-')) {
    throw new ForeignVolumeError(
      `/dev/mapper/${name} is something else: its UUID is ${there.uuid}; it is left as it is`,
    );
  }
  return there;
}

/** blkid ends so where it recognises nothing. */
const nothingFound = 2;

async function refuseContent(device: string, run: RunCommand): Promise<void> {
  try {
    const found = await run('blkid', ['--probe', '--output', 'export', device]);
    const kinds = [...found.matchAll(/^(?:PT)?TYPE=(.*)$/gm)].map(([, kind]) => kind);
    const foreign = kinds.find((kind) => kind !== 'crypto_LUKS');
    if (foreign !== undefined) {
      throw new ForeignVolumeError(`${device} is new and holds ${foreign}: it is left as it is`);
    }
  } catch (error) {
    if (!(error instanceof CommandError && error.exitCode === nothingFound)) {
      throw error;
    }
  }
}

/** Gives the blocks back where the medium knows how: what was in them is lost without the keys. */
async function discard(device: string, run: RunCommand, signal: AbortSignal): Promise<void> {
  try {
    await run('blkdiscard', ['--offset', String(headerBytes), device], signal);
  } catch (error) {
    if (!(error instanceof CommandError && error.stderr.includes('not supported'))) {
      throw error;
    }
  }
}
