import { isBytes, type Bytes } from '../model/bytes.ts';
import { err, ok, type Result } from '../model/result.ts';
import { blockBytes, sealedBlock } from './shared/sealed-block.ts';

/** What an image file says of itself; its name on disk proves nothing. */
export interface ImageHeader {
  readonly name: string;
  readonly volumeUid: string;
  readonly pool: string;
  /** The usable size. */
  readonly bytes: Bytes;
  readonly createdAt: string;
  /** The name it had before it was adopted: its file may still have it, should that have been cut off. */
  readonly adoptedFrom?: string | undefined;
}

/** The header stands in the first block of an image. */
export const headerBytes = blockBytes;

const block = sealedBlock('BERTHVOL', 'header');

/** @throws RangeError when the names are too long for the block */
export function encodeHeader(header: ImageHeader): Buffer {
  return block.seal(header);
}

/** @returns the header, or why these bytes are none */
export function parseHeader(bytes: Buffer): Result<ImageHeader, string> {
  const content = block.open(bytes) ?? err('it has no Berth header');
  return content.ok ? readFields(content.value) : content;
}

function readFields(fields: unknown): Result<ImageHeader, string> {
  const { name, volumeUid, pool, bytes, createdAt, adoptedFrom } = (fields ?? {}) as Record<
    string,
    unknown
  >;
  const texts = { name, volumeUid, pool, createdAt };
  for (const [field, value] of Object.entries(texts)) {
    if (typeof value !== 'string' || value === '') {
      return err(`its header has no ${field}`);
    }
  }
  if (!isBytes(bytes)) {
    return err('its header has no bytes');
  }
  const header = { ...(texts as Record<keyof typeof texts, string>), bytes };
  return ok(typeof adoptedFrom === 'string' ? { ...header, adoptedFrom } : header);
}
