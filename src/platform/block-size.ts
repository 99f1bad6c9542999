import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { bytes, type Bytes } from '../model/bytes.ts';

/** The kernel counts in sectors of this size, whatever the disk has. */
const kernelSectorBytes = 512;

/** @param device - the kernel's own name, such as `/dev/sda1`; no link */
export async function blockDeviceBytes(device: string): Promise<Bytes> {
  const sectors = await readFile(`/sys/class/block/${basename(device)}/size`, 'utf8');
  return bytes(Number(sectors) * kernelSectorBytes);
}
