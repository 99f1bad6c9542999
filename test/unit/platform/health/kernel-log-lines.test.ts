import { expect } from 'chai';
import { parseLogRecord, parseLogText } from '../../../../src/platform/health/kernel-log-lines.ts';

/** Lines as kernels have written them. */
const lines: readonly (readonly [string, string | undefined])[] = [
  [
    'I/O error, dev sdb, sector 2048 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2',
    'sdb ReadErrors',
  ],
  [
    'I/O error, dev sdb, sector 2048 op 0x1:(WRITE) flags 0x800 phys_seg 1 prio class 2',
    'sdb WriteErrors',
  ],
  [
    'I/O error, dev loop0, sector 0 op 0x1:(WRITE) flags 0x800 phys_seg 0 prio class 2',
    'loop0 WriteErrors',
  ],
  [
    'blk_update_request: I/O error, dev sda, sector 7814037160 op 0x1:(WRITE) flags 0x103000 phys_seg 1 prio class 0',
    'sda WriteErrors',
  ],
  ['blk_update_request: I/O error, dev fd0, sector 0', 'fd0 ReadErrors'],
  ['print_req_error: I/O error, dev sdc, sector 1953525160', 'sdc ReadErrors'],
  ['end_request: I/O error, dev sda, sector 12345678', 'sda ReadErrors'],
  [
    'blk_update_request: critical medium error, dev sda, sector 976773160 op 0x0:(READ) flags 0x0 phys_seg 4 prio class 0',
    'sda ReadErrors',
  ],
  [
    'critical medium error, dev nvme0n1, sector 1953525 op 0x0:(READ) flags 0x84700 phys_seg 32 prio class 2',
    'nvme0n1 ReadErrors',
  ],
  [
    'timeout error, dev sdd, sector 128 op 0x1:(WRITE) flags 0x0 phys_seg 1 prio class 2',
    'sdd WriteErrors',
  ],
  [
    'I/O error, dev sda, sector 0 op 0x1:(FLUSH) flags 0x800 phys_seg 0 prio class 2',
    'sda WriteErrors',
  ],
  [
    'critical target error, dev sda, sector 2048 op 0x3:(DISCARD) flags 0x800 phys_seg 1 prio class 2',
    undefined,
  ],
  [
    'operation not supported error, dev loop0, sector 64 op 0x9:(WRITE_ZEROES) flags 0x8000800 phys_seg 0 prio class 2',
    undefined,
  ],
  [
    'I/O error, dev loop3, sector 0 op 0x3:(DISCARD) flags 0x800 phys_seg 1 prio class 2',
    undefined,
  ],
  ['Buffer I/O error on dev dm-3, logical block 5, lost async page write', 'dm-3 WriteErrors'],
  ['Buffer I/O error on dev dm-0, logical block 262128, async page read', 'dm-0 ReadErrors'],
  ['Buffer I/O error on device sdb1, logical block 0', 'sdb1 ReadErrors'],
  ['Buffer I/O error on dev sdb1, logical block 0, lost sync page write', 'sdb1 WriteErrors'],
  ['lost page write due to I/O error on sdb1', 'sdb1 WriteErrors'],
  [
    'EXT4-fs warning (device dm-2): ext4_end_bio:343: I/O error 10 writing to inode 12 starting block 33281)',
    'dm-2 WriteErrors',
  ],
  ['JBD2: Detected IO errors while flushing file data on dm-3-8', 'dm-3 WriteErrors'],
  ['EXT4-fs error (device loop13): trigger_test_error:129: comm bash: x', undefined],
  [
    'EXT4-fs (loop13): mounted filesystem 7233f99d-23be-4125-98a2-94bcd64788fb r/w with ordered data mode. Quota mode: none.',
    undefined,
  ],
  ['XFS (dm-0): log I/O error -5', undefined],
  ['XFS (dm-0): Filesystem has been shut down due to log error (0x2).', 'dm-0 FilesystemShutDown'],
  [
    'XFS (sdb1): Corruption of in-memory data (0x8) detected at xfs_trans_cancel+0x14d/0x170 [xfs] (fs/xfs/xfs_trans.c:1098).  Shutting down filesystem.',
    'sdb1 FilesystemShutDown',
  ],
  ['XFS (loop4): User initiated shutdown received.', 'loop4 FilesystemShutDown'],
  ['XFS (sdb1): Mounting V5 Filesystem 5b6ebd6e-2d3e-44a8-8a52-4ab7a7bdb9b6', 'sdb1 Mounted'],
  ['XFS (sdb1): Ending clean mount', 'sdb1 Mounted'],
  [
    'sd 2:0:0:0: [sdb] Synchronize Cache(10) failed: Result: hostbyte=DID_ERROR driverbyte=DRIVER_OK',
    'sdb WriteErrors',
  ],
  ['sd 2:0:0:0: [sdb] Attached SCSI disk', undefined],
  ['md/raid1:md0: Disk failure on sdb1, disabling device.', 'sdb1 WriteErrors'],
  ['nvme nvme0: I/O 123 QID 4 timeout, aborting', 'nvme0 ReadErrors'],
  [
    'nvme nvme1: I/O tag 320 (1140) opcode 0x2 (I/O Cmd) QID 5 timeout, aborting req_op:READ(0) size:4096',
    'nvme1 ReadErrors',
  ],
  [
    'nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0x10',
    'nvme0 WriteErrors',
  ],
  ['nvme nvme0: Removing after probe failure status: -19', 'nvme0 WriteErrors'],
  ['nvme nvme0: 8/0/0 default/read/poll queues', undefined],
  ['loop13: detected capacity change from 0 to 131072', undefined],
  ['usb 1-1: new high-speed USB device number 2 using xhci_hcd', undefined],
];

describe('parseLogText', () => {
  for (const [line, expected] of lines) {
    it(`reads "${line.slice(0, 60)}" as ${expected ?? 'nothing'}`, () => {
      const news = parseLogText(line);
      expect(news && `${news.device} ${news.what}`).to.equal(expected);
    });
  }
});

describe('parseLogRecord', () => {
  it('cuts the text out of a record', () => {
    const record = '3,11223,25380647729,-;Aborting journal on device loop13-8.\n SUBSYSTEM=block\n';
    expect(parseLogRecord(record)).to.deep.equal({ text: 'Aborting journal on device loop13-8.' });
  });

  it('does not believe what programs have written', () => {
    expect(parseLogRecord('12,1,2,-;I/O error, dev sda, sector 0')).to.equal(undefined);
    expect(parseLogRecord('nothing')).to.equal(undefined);
  });
});
