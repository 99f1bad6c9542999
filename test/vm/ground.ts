import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { ifThere } from '../../src/platform/files.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { waitFor } from '../cluster/wait.ts';
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

/** Takes a SCSI disk out while the guest runs, whoever uses it. */
export async function unplugDisk(serial: DiskSerial): Promise<void> {
  await writeFile(`/sys/block/${basename(await diskOfGuest(serial))}/device/delete`, '1');
}

/** Puts all SCSI disks back that were taken out; they may have other names now. */
export async function plugInDisks(...serials: readonly DiskSerial[]): Promise<void> {
  await writeFile('/sys/class/scsi_host/host0/scan', '- - -');
  for (const serial of serials) {
    await waitFor(`the disk ${serial}`, () => diskOfGuest(serial).catch(() => undefined), {
      ...{ timeoutMs: 20_000, intervalMs: 50 },
    });
  }
}

/** Sets what an NVMe disk of the guest warns of: the bits of the NVMe specification. */
export async function warnOfDisk(serial: DiskSerial, bits: number): Promise<void> {
  const property = 'smart_critical_warning';
  const command = `qom-set /machine/peripheral/disk-${serial} ${property} ${bits}`;
  // The monitor of the machine writes back what it has read.
  const say = 'exec 3<>"$1" && echo "$2" >&3 && grep -q -a -m 1 "$3" <&3';
  const monitor = await monitorOfGuest();
  await runCommand('timeout', ['20', 'bash', '-c', say, 'say', monitor, command, property]);
}

async function monitorOfGuest(): Promise<string> {
  const folder = '/sys/class/virtio-ports';
  for (const port of await readdir(folder)) {
    const name = await readFile(join(folder, port, 'name'), 'utf8').catch(() => '');
    if (name.trim() === 'monitor') return join('/dev', port);
  }
  throw new Error('the guest has no port to the monitor of its machine');
}
