import type { TroubleReason } from '../../model/health.ts';

/** What a line of the kernel's log says of a device. */
export interface LogNews {
  /** The device, its number (`253:4`), or the controller of several (`nvme0`). */
  readonly device: string;
  /** `Mounted`: a filesystem that was shut down has been mounted again. */
  readonly what: TroubleReason | 'Mounted';
}

interface Pattern {
  /** Its group `dev` is the device, `op` what was asked of it. */
  readonly line: RegExp;
  /** Missing where `op` decides. */
  readonly what?: LogNews['what'];
}

const dev = String.raw`(?<dev>[a-zA-Z0-9!_-]+)`;

/** How kernels from 3.10 on write it; test/unit/platform/health has real lines of each. */
const patterns: readonly Pattern[] = [
  // The block layer: `op 0x1:(WRITE)` since 4.20.
  {
    line: new RegExp(
      String.raw`^(?:blk_update_request: |print_req_error: |end_request: )?(?:I/O|critical medium|critical target|critical space allocation|critical device resource|protection|timeout|recoverable transport|device offline) error, dev ${dev}, sector \d+(?: op 0x[0-9a-f]+:\((?<op>\w+)\))?`,
    ),
  },
  {
    line: new RegExp(String.raw`^Buffer I/O error on dev(?:ice)? ${dev}, .*lost .*write`),
    what: 'WriteErrors',
  },
  {
    line: new RegExp(String.raw`^lost page write due to I/O error on ${dev}`),
    what: 'WriteErrors',
  },
  { line: new RegExp(String.raw`^Buffer I/O error on dev(?:ice)? ${dev},`), what: 'ReadErrors' },
  // Filesystems.
  {
    line: new RegExp(String.raw`^EXT4-fs warning \(device ${dev}\): ext4_end_bio:\d+: I/O error`),
    what: 'WriteErrors',
  },
  {
    line: new RegExp(String.raw`^JBD2: Detected IO errors while flushing file data on ${dev}-\d+`),
    what: 'WriteErrors',
  },
  {
    line: new RegExp(
      String.raw`^XFS \(${dev}\): .*(?:[Ss]hutting down filesystem|has been shut down|shutdown received)`,
    ),
    what: 'FilesystemShutDown',
  },
  {
    line: new RegExp(String.raw`^XFS \(${dev}\): (?:Mounting V\d|Ending clean mount)`),
    what: 'Mounted',
  },
  // A thin pool names itself by its number.
  {
    line: /^device-mapper: thin: (?<dev>\d+:\d+): switching pool to (?:read-only|fail) mode/,
    what: 'WriteErrors',
  },
  // Disks and their controllers.
  {
    line: new RegExp(String.raw`^sd [0-9:]+: \[${dev}\] Synchronize Cache\(\d+\) failed`),
    what: 'WriteErrors',
  },
  {
    line: new RegExp(String.raw`^md/\w+:\w+: Disk failure on ${dev}, disabling device`),
    what: 'WriteErrors',
  },
  {
    line: new RegExp(
      String.raw`^nvme ${dev}: (?:controller is down|Device not ready; aborting|Disabling device after reset failure|Removing after probe failure)`,
    ),
    what: 'WriteErrors',
  },
  { line: new RegExp(String.raw`^nvme ${dev}: I/O (?:tag )?\d+ .*timeout`), what: 'ReadErrors' },
];

/** What was asked of the device; all else (trims, for example) is not missed when it fails. */
const operations: Readonly<Record<string, TroubleReason>> = {
  READ: 'ReadErrors',
  WRITE: 'WriteErrors',
  FLUSH: 'WriteErrors',
};

/** @returns nothing for lines that say nothing of the health of a device */
export function parseLogText(text: string): LogNews | undefined {
  for (const { line, what } of patterns) {
    const groups = line.exec(text)?.groups;
    if (groups !== undefined) {
      const { dev: device = '', op } = groups;
      // Older kernels do not say what was asked: it counts as the milder of the two.
      const kind = what ?? (op === undefined ? 'ReadErrors' : operations[op]);
      return kind && { device: device.replaceAll('!', '/'), what: kind };
    }
  }
  return undefined;
}

/** One record of /dev/kmsg, cut into what it says; nothing for what programs have written there. */
export function parseLogRecord(record: string): { readonly text: string } | undefined {
  const end = record.indexOf(';');
  const priority = Number(record.slice(0, end).split(',')[0]);
  const isOfKernel = priority >> 3 === 0;
  const [text = ''] = record.slice(end + 1).split('\n');
  return end > 0 && isOfKernel ? { text } : undefined;
}
