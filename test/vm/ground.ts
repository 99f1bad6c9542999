import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { ifThere } from '../../src/platform/files.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import type { DiskSerial } from '../guest/disks.ts';

/** Where the kernel tells a serial number, by kind of disk. */
const places = ['device/vpd_pg80', 'serial', 'device/serial'];

/** @returns the path of a scratch disk of the guest, such as `/dev/sdb`; another one in each boot, perhaps */
export async function diskOfGuest(serial: DiskSerial): Promise<string> {
  if (process.env['BERTH_GUEST'] !== '1') {
    throw new Error('tests that take whole disks run in a guest only: make test-vm');
  }
  for (const name of await readdir('/sys/block')) {
    for (const place of places) {
      const text = await ifThere(readFile(join('/sys/block', name, place), 'latin1'));
      // A vital product data page has four bytes before its text.
      if (text?.replace(/^\0[^]{3}/, '').trim() === serial) return join('/dev', name);
    }
  }
  throw new Error(`there is no disk ${serial}`);
}

/** Gives a disk back as blank as it came, for the next test. */
export async function blankDisk(serial: DiskSerial): Promise<void> {
  const path = await diskOfGuest(serial);
  await runCommand('wipefs', ['--all', '--force', path]);
  await runCommand('blkdiscard', ['--zeroout', '--length', '16M', path]);
  await runCommand('blkdiscard', ['--zeroout', '--offset', '2032M', path]);
}

/** Says something to the machine of the guest, as somebody at its monitor would. */
async function tellHardware(command: string): Promise<void> {
  const [word = ''] = command.split(' ').slice(-2);
  // It writes back what it reads, and what is not sent when the port is closed is lost.
  const say = 'exec 3<>"$1" && stty raw -echo <&3 && echo "$2" >&3 && grep -q -a -m 1 "$3" <&3';
  await runCommand('timeout', ['20', 'bash', '-c', say, 'say', monitor, command, word]);
}

const monitor = '/dev/ttyS2';

/** Sets what an NVMe disk of the guest warns of: the bits of the NVMe specification. */
export async function warnOfDisk(serial: DiskSerial, bits: number): Promise<void> {
  await tellHardware(`qom-set /machine/peripheral/disk-${serial} smart_critical_warning ${bits}`);
}
