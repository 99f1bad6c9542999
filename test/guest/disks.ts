/** Bytes of every scratch disk. Their files are sparse. */
export const diskBytes = 2 * 1024 ** 3;

/**
 * The empty disks of the guest, by serial number. `ssd` and `hdd` are SCSI disks, which can be taken out while the
 * guest runs (`/sys/block/NAME/device/delete`), the latter with a rotation rate; the others are what their names say.
 */
export const diskSerials = [
  'ssd-a',
  'ssd-b',
  'ssd-c',
  'ssd-d',
  'hdd-a',
  'nvme-a',
  'virtio-a',
  'ata-a',
] as const;

export type DiskSerial = (typeof diskSerials)[number];

/** What QEMU is told of a disk whose content is in `file`. */
export function diskArguments(serial: DiskSerial, file: string): string[] {
  // Nobody needs the content after a crash of the host, and what is discarded leaves the file.
  const drive = `if=none,id=${serial},file=${file},format=raw,cache=unsafe,discard=unmap`;
  const device = `${kindOf(serial)},id=disk-${serial},drive=${serial},serial=${serial}`;
  return ['-drive', drive, '-device', device];
}

function kindOf(serial: DiskSerial): string {
  switch (serial) {
    case 'nvme-a':
      return 'nvme';
    case 'virtio-a':
      return 'virtio-blk-pci';
    case 'ata-a':
      return 'ide-hd';
    case 'hdd-a':
      return 'scsi-hd,rotation_rate=7200';
    default:
      return 'scsi-hd,rotation_rate=1';
  }
}
