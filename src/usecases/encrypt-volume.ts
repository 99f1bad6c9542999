import { deviceBytesFor, usableBytesOf, type VolumeEncryption } from '../model/encryption.ts';
import { PermanentError } from '../model/errors.ts';
import type { ErasePolicy, LocalVolume, VolumeIdentity } from '../model/volume.ts';
import { wasMade } from './agent-volume.ts';
import type { EncryptedStorage, Key, Luks, OnDevice, VolumeKeys } from './encryption-ports.ts';
import {
  ForeignVolumeError,
  type BackendVolume,
  type StorageBackend,
  type VolumeRequest,
} from './ports.ts';
import { wayToOpen } from './way-to-open.ts';

export interface EncryptionParts {
  readonly luks: Luks;
  readonly keys: VolumeKeys;
}

/** Puts encryption between what a backend gives and what a volume is, where a class asks for it. */
export function encryptedStorage(parts: EncryptionParts): EncryptedStorage {
  const { luks } = parts;
  return {
    ofVolume: (volume, storage) => {
      const { encryption, adopts } = volume.spec;
      if (encryption !== undefined) {
        return encrypted({ volume, encryption, storage, ...parts });
      }
      return adopts === undefined ? storage : adoptingPlain(volume, storage, luks);
    },
    ofOrphan: (storage, gives) =>
      gives === 'directory'
        ? storage
        : {
            remove: async (identity, erase, signal) => {
              const keys = await destroyKeys({ identity, erase, storage, luks }, signal);
              // That it was encrypted is said by its header alone: it is erased as if it were not.
              return joined(keys, await storage.remove(identity, erase, signal));
            },
            removeStray: async (name, erase, signal) => {
              await luks.close(name);
              return storage.removeStray(name, erase, signal);
            },
          },
  };
}

/** What is to be had of a volume whose class asks for no encryption, and which was made before. */
function adoptingPlain(volume: LocalVolume, storage: StorageBackend, luks: Luks): StorageBackend {
  return {
    ...storage,
    adopt: async (from, to, signal) => {
      await luks.close(from.name);
      return storage.adopt(from, to, signal);
    },
    attach: async (identity, signal) => {
      const path = await storage.attach(identity, signal);
      const header = wasMade(volume) ? undefined : await luks.look(path);
      if (header?.owner !== undefined) {
        throw new PermanentError(`${path} is encrypted: a class with encryption luks2 is required`);
      }
      return path;
    },
  };
}

interface Encrypted extends EncryptionParts {
  readonly volume: LocalVolume;
  readonly encryption: VolumeEncryption;
  readonly storage: StorageBackend;
}

function encrypted({ volume, encryption, storage, luks, keys }: Encrypted): StorageBackend {
  const isNew = !wasMade(volume) && !volume.published;
  let key: Promise<Key> | undefined;
  const keyOnce = (): Promise<Key> => (key ??= keys.read(encryption));
  const onDevice = (request: VolumeRequest): VolumeRequest => ({
    ...request,
    bytes: deviceBytesFor({ bytes: request.bytes, encryption }),
  });
  const usable = (found: BackendVolume): BackendVolume => ({
    ...found,
    bytes: usableBytesOf({ bytes: found.bytes, encryption }),
  });

  /** Nothing is made where it could never be opened. */
  async function mayBegin(): Promise<void> {
    await luks.check();
    await keyOnce();
  }

  /** What keeps a volume with data closed may pass although nothing of the volume changes. */
  async function patiently(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      const isToPass = error instanceof PermanentError && !(error instanceof ForeignVolumeError);
      throw isToPass && !isNew ? new Error('it stays closed', { cause: error }) : error;
    }
  }

  async function open(at: OnDevice, signal: AbortSignal): Promise<void> {
    const way = wayToOpen(await luks.look(at.device), at, { isNew, adopts: volume.spec.adopts });
    const secret = await keyOnce();
    if (way === 'format') {
      await luks.format(at, secret, signal);
      return;
    }
    await luks.open(at, secret, signal);
    if (way === 'rename') {
      await luks.rename(at);
    }
  }

  return {
    ...storage,
    find: async (identity, signal) => {
      const found = await storage.find(identity, signal);
      return found && usable(found);
    },
    ensure: async (request, signal) => {
      await mayBegin();
      return usable(await storage.ensure(onDevice(request), signal));
    },
    adopt: async (from, to, signal) => {
      await mayBegin();
      await luks.close(from.name);
      return usable(await storage.adopt(from, onDevice(to), signal));
    },
    attach: async ({ name, volumeUid }, signal) => {
      const at = { name, volumeUid, device: await storage.attach({ name, volumeUid }, signal) };
      // One that is new may be open half made.
      if (isNew || !(await luks.isOpen(at))) {
        await patiently(open(at, signal));
      }
      return luks.link(name);
    },
    grow: async (request, signal) => {
      const found = usable(await storage.grow(onDevice(request), signal));
      await patiently(luks.follow(request.name, found.bytes, keyOnce, signal));
      return found;
    },
    remove: async (identity, erase, signal) => {
      const gone = await destroyKeys({ identity, erase, storage, luks }, signal);
      // Nobody can read what is left: to overwrite it would take long and hide nothing.
      const rest = gone === undefined ? erase : 'none';
      return joined(gone, await storage.remove(identity, rest, signal));
    },
  };
}

interface Removal {
  readonly identity: VolumeIdentity;
  readonly erase: ErasePolicy;
  readonly storage: StorageBackend;
  readonly luks: Luks;
}

/** @returns what was done; nothing where there was no header that Berth has made */
async function destroyKeys(
  { identity, erase, storage, luks }: Removal,
  signal: AbortSignal,
): Promise<string | undefined> {
  await luks.close(identity.name);
  // What is not proven to be the volume is left to the backend, which says so.
  const found = await unlessForeign(storage.find(identity, signal));
  return found && luks.destroyKeys(await storage.attach(identity, signal), erase, signal);
}

async function unlessForeign<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ForeignVolumeError) {
      return undefined;
    }
    throw error;
  }
}

function joined(keys: string | undefined, rest: string | undefined): string | undefined {
  return keys === undefined || rest === undefined ? (keys ?? rest) : `${keys}; ${rest}`;
}
