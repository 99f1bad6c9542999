import type { Bytes } from '../model/bytes.ts';
import type { VolumeEncryption } from '../model/encryption.ts';
import type { ErasePolicy, LocalVolume, VolumeForm, VolumeIdentity } from '../model/volume.ts';
import type { StorageBackend } from './ports.ts';

/** What is kept secret. Goes to programs by their input alone, and into no text. */
export type Key = Uint8Array;

/** Where keys come from. */
export interface VolumeKeys {
  /**
   * @throws PermanentError when there is none, or none that may be used: it says where, and what is
   * allowed
   */
  read(encryption: VolumeEncryption): Promise<Key>;
}

/** What the header of an encrypted device says. */
export interface LuksHeader {
  /** The volume that it was made for; missing where it was not made by Berth. */
  readonly owner?: VolumeIdentity | undefined;
  /** It was never finished: nobody has ever been given what is behind it. */
  readonly partial: boolean;
  /** How many keys open it; none once they were destroyed. */
  readonly keys: number;
}

/** A volume, and the device that its backend has for it. */
export interface OnDevice extends VolumeIdentity {
  readonly device: string;
}

/**
 * Encrypted devices of this node. A volume is opened under a name made from its own, so it is open
 * once or not at all. All calls may be repeated.
 */
export interface Luks {
  /** @throws PermanentError when nothing can be encrypted on this node */
  check(): Promise<void>;
  /** @throws Error when there is a header that cannot be read */
  look(device: string): Promise<LuksHeader | undefined>;
  /** Whether the volume is open over this device. One that is open over another one is closed first. */
  isOpen(volume: OnDevice): Promise<boolean>;
  /**
   * Destroys whatever is on the device, makes a header with a random key of its own, and opens it.
   * Cut off, the header is missing or partial.
   *
   * @throws ForeignVolumeError when there is anything but an earlier try on the device
   */
  format(volume: OnDevice, key: Key, signal: AbortSignal): Promise<void>;
  /** @throws PermanentError when it is another key */
  open(volume: OnDevice, key: Key, signal: AbortSignal): Promise<void>;
  /** Makes the header that of the volume. */
  rename(volume: OnDevice): Promise<void>;
  /** @returns the path that leads to what is behind the header of an open volume, for its whole life */
  link(name: string): Promise<string>;
  /** Makes sure that an open volume shows `bytes`, which its device has. */
  follow(name: string, bytes: Bytes, key: () => Promise<Key>, signal: AbortSignal): Promise<void>;
  /** Makes sure that it is not open. @throws Error while somebody uses it */
  close(name: string): Promise<void>;
  /**
   * Makes sure that no key opens the device any more, and that its header is gone.
   * @returns what was done, for people; nothing where there was no header of Berth
   */
  destroyKeys(device: string, erase: ErasePolicy, signal: AbortSignal): Promise<string | undefined>;
}

/** Storage as a volume, or what is left of one, has it: with its encryption, where there is any. */
export interface EncryptedStorage {
  readonly ofVolume: (volume: LocalVolume, storage: StorageBackend) => StorageBackend;
  /** For what no LocalVolume speaks of: it may be encrypted all the same. */
  readonly ofOrphan: (
    storage: StorageBackend,
    gives: VolumeForm | undefined,
  ) => Pick<StorageBackend, 'remove' | 'removeStray'>;
}
