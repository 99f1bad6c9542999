import { createHash } from 'node:crypto';
import { bytes, MiB } from '../../src/model/bytes.ts';
import { volumeName } from '../../src/model/names.ts';
import type { VolumeIdentity } from '../../src/model/volume.ts';
import type { VolumeRequest } from '../../src/usecases/ports.ts';

/** A uid as the API server gives them, the same for the same text. */
export function uidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(12, 15)}-8${hex.slice(15, 18)}-${hex.slice(18, 30)}`;
}

/** A volume with a name and a uid of the form that every volume has, the same for the same label. */
export function volumeNamed(label: string): VolumeIdentity {
  return { name: volumeName(uidOf(`claim ${label}`)), volumeUid: uidOf(`volume ${label}`) };
}

/** What is asked of a backend for the volume with this label. */
export function sized(label: string, mebibytes: number): VolumeRequest {
  return { ...volumeNamed(label), bytes: bytes(mebibytes * MiB) };
}
