import { randomBytes } from 'node:crypto';
import { open, readdir, readFile } from 'node:fs/promises';

import { luks } from '../../src/backends/shared/luks.ts';
import { bytes, MiB } from '../../src/model/bytes.ts';
import { PermanentError } from '../../src/model/errors.ts';
import type { LocalVolume, VolumeSpec, VolumeStatus } from '../../src/model/volume.ts';
import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import { encryptedStorage } from '../../src/usecases/encrypt-volume.ts';
import type { EncryptedStorage } from '../../src/usecases/encryption-ports.ts';
import { volumeNamed } from '../support/identities.ts';

const encryption = { type: 'luks2', keyFile: 'class' } as const;

/** A LocalVolume that its agent has not made yet. */
export function encryptedVolume(label: string, change: Partial<VolumeSpec> = {}): LocalVolume {
  const { name, volumeUid: uid } = volumeNamed(label);
  return {
    ...{ name, uid, resourceVersion: '1', published: false, deleting: false },
    ...{ heldByAgent: true, heldByControl: true, status: { phase: 'Pending' } },
    spec: {
      ...{ node: 'n1', pool: 'fast', bytes: bytes(40 * MiB), volumeMode: 'Filesystem' },
      ...{ fsType: 'ext4', erase: 'discard', encryption },
      claimRef: { namespace: 'd', name: 'c', uid: 'u' },
      ...change,
    },
  };
}

/** The same once it was handed to its claim. */
export function inUse(volume: LocalVolume): LocalVolume {
  const status: VolumeStatus = { phase: 'Ready' };
  return { ...volume, status, published: true };
}

export const rightKey: Uint8Array = randomBytes(64);

/** What an agent has that was started now, with the key that is in its directory. */
export function agentWith(
  runDir: string,
  {
    run = runCommand,
    key,
  }: { readonly run?: RunCommand; readonly key?: Uint8Array | undefined } = {
    key: rightKey,
  },
): EncryptedStorage {
  const read = async (): Promise<Uint8Array> => {
    if (key === undefined) {
      throw new PermanentError('key file class: it is not there');
    }
    return key;
  };
  return encryptedStorage({ luks: luks(run, runDir), keys: { read } });
}

/** The names of all encrypted volumes that are open. */
export async function openVolumes(): Promise<readonly string[]> {
  const devices = (await readdir('/sys/class/block')).filter((name) => name.startsWith('dm-'));
  const names = devices.map((name) => readFile(`/sys/class/block/${name}/dm/name`, 'utf8'));
  return (await Promise.all(names))
    .map((name) => name.trim())
    .filter((name) => name.startsWith('berth-pvc-'));
}

export async function closeAll(): Promise<void> {
  for (const name of await openVolumes()) {
    await runCommand('cryptsetup', ['close', name]);
  }
}

export async function writeAt(path: string, text: string, position: number): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.write(text, position);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function readAt(path: string, length: number, position: number): Promise<Buffer> {
  const handle = await open(path, 'r');
  try {
    return (await handle.read(Buffer.alloc(length), 0, length, position)).buffer;
  } finally {
    await handle.close();
  }
}
