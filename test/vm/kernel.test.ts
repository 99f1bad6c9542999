import { expect } from 'chai';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { runCommand } from '../../src/platform/run-command.ts';
import { rejection } from '../support/rejection.ts';
import { blankDisk, diskOfGuest } from './ground.ts';

/** What the other suites in a guest rest on. Where this fails, they tell nothing. */
describe('the kernel of the guest', () => {
  let folder: string;
  const undo: (() => Promise<unknown>)[] = [];

  /** Runs a program; `back` takes away what it has made. */
  async function make(command: string, back?: string): Promise<string> {
    const [program = '', ...args] = command.split(' ');
    const said = await runCommand(program, args);
    if (back !== undefined) {
      const [undoing = '', ...with_] = back.split(' ');
      undo.unshift(() => runCommand(undoing, with_));
    }
    return said;
  }

  async function group(name: string): Promise<void> {
    const disks: string[] = [];
    for (const disk of [await diskOfGuest('ssd-a'), await diskOfGuest('ssd-b')]) {
      await make(`pvcreate --yes ${disk}`, `pvremove --force --force --yes ${disk}`);
      disks.push(disk);
    }
    await make(`vgcreate ${name} ${disks.join(' ')}`, `vgremove --force --yes ${name}`);
  }

  async function readsFrom(path: string): Promise<void> {
    const handle = await open(path, 'r');
    try {
      await handle.read(Buffer.alloc(4096), 0, 4096, 0);
    } finally {
      await handle.close();
    }
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-kernel-'));
  });

  afterEach(async () => {
    for (const step of undo.splice(0)) await step();
    await blankDisk('ssd-a');
    await blankDisk('ssd-b');
    await rm(folder, { recursive: true });
  });

  const modules = [
    ...['loop', 'xfs', 'btrfs', 'ext4', 'dm-mod', 'dm-thin-pool', 'dm-mirror', 'dm-raid'],
    ...['raid1', 'dm-crypt', 'dm-flakey', 'dm-delay', 'quota_v2'],
  ];
  it(`loads ${modules.join(', ')}`, async () => {
    await runCommand('modprobe', ['--all', ...modules]);
  });

  it('has LVM: linear, mirrored and thin volumes', async () => {
    await group('guest');
    await make('lvcreate --yes --name linear --size 32m guest');
    await make('lvcreate --yes --type raid1 --mirrors 1 --name mirrored --size 32m guest');
    await make('lvcreate --type thin-pool --name pool --size 64m --zero y guest');
    await make('lvcreate --thin --name thin --virtualsize 1g guest/pool');

    const text = await runCommand('lvs', ['--reportformat', 'json', '-o', 'lv_name,lv_layout']);
    const { report } = JSON.parse(text) as { report: { lv: Record<string, string>[] }[] };
    const layouts = report[0]?.lv.map((lv) => [lv['lv_name'], lv['lv_layout']]);
    expect(Object.fromEntries(layouts ?? [])).to.deep.include({
      linear: 'linear',
      mirrored: 'raid,raid1',
      thin: 'thin,sparse',
    });
    await readsFrom('/dev/guest/thin');
  });

  it('encrypts: a LUKS2 device opens with its key, and with no other', async () => {
    const disk = await diskOfGuest('ssd-a');
    const [key, wrong] = [join(folder, 'key'), join(folder, 'wrong')];
    await writeFile(key, 'a'.repeat(64));
    await writeFile(wrong, 'b'.repeat(64));
    // The usual function costs an emulated processor minutes on purpose.
    const cheap = '--pbkdf pbkdf2 --pbkdf-force-iterations 1000';
    await make(`cryptsetup luksFormat --batch-mode --type luks2 ${cheap} ${disk} ${key}`);

    const opening = (file: string) => `cryptsetup open --key-file ${file} ${disk} guest-crypt`;
    expect(await rejection(make(opening(wrong)))).to.include({ exitCode: 2 });
    await make(opening(key), 'cryptsetup close guest-crypt');
    await readsFrom('/dev/mapper/guest-crypt');
  });

  it('makes disks that fail, and disks that are slow', async () => {
    const disk = await diskOfGuest('ssd-a');
    const tables = {
      flaky: `0 8192 flakey ${disk} 0 0 3600`,
      broken: '0 8192 error',
      slow: `0 8192 delay ${disk} 0 300`,
    };
    for (const [name, table] of Object.entries(tables)) {
      await runCommand('dmsetup', ['create', name, '--table', table]);
      undo.unshift(() => runCommand('dmsetup', ['remove', name]));
    }

    for (const name of ['flaky', 'broken']) {
      expect(await rejection(readsFrom(`/dev/mapper/${name}`))).to.include({ code: 'EIO' });
    }
    const started = performance.now();
    await readsFrom('/dev/mapper/slow');
    expect(performance.now() - started).to.be.at.least(300);
  });

  const nobody = ['--reuid', '65534', '--clear-groups'];
  async function expectLimit(directory: string): Promise<void> {
    const into = (name: string, mebibytes: number) =>
      runCommand('setpriv', [
        ...nobody,
        ...['dd', 'if=/dev/zero', `of=${join(directory, name)}`, 'bs=1M', `count=${mebibytes}`],
      ]);
    await into('fits', 2);
    expect((await rejection(into('exceeds', 4))).message).to.match(/No space|quota/i);
  }

  it('enforces project quotas on XFS', async () => {
    const disk = await diskOfGuest('ssd-a');
    const project = join(folder, 'project');
    await make(`mkfs.xfs -q ${disk}`);
    await make(`mount -o prjquota ${disk} ${folder}`, `umount ${folder}`);
    await make(`mkdir -m 777 ${project}`);
    await runCommand('xfs_quota', ['-x', '-c', `project -s -p ${project} 42`, folder]);
    await runCommand('xfs_quota', ['-x', '-c', 'limit -p bhard=4m 42', folder]);

    await expectLimit(project);
  });

  it('enforces project quotas on ext4', async () => {
    const disk = await diskOfGuest('ssd-a');
    const project = join(folder, 'project');
    await make(`mkfs.ext4 -q -O quota,project -E quotatype=prjquota ${disk} 256M`);
    await make(`mount -o prjquota ${disk} ${folder}`, `umount ${folder}`);
    await make(`mkdir -m 777 ${project}`);
    await make(`chattr +P -p 42 ${project}`);
    await make(`setquota -P 42 0 4096 0 0 ${folder}`);

    await expectLimit(project);
  });

  it('reads partition tables', async () => {
    const disk = await diskOfGuest('ssd-a');
    await writeFile(join(folder, 'table'), 'label: gpt\nsize=16MiB\nsize=32MiB\n');
    await runCommand('sh', ['-c', `sfdisk --quiet ${disk} < ${join(folder, 'table')}`]);

    const sizes = await runCommand('lsblk', ['--bytes', '--noheadings', '-o', 'TYPE,SIZE', disk]);
    expect(sizes.match(/part +\d+/g)?.map((row) => row.replace(/ +/, ' '))).to.deep.equal([
      'part 16777216',
      'part 33554432',
    ]);
  });
});
