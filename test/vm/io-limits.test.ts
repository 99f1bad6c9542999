import { expect } from 'chai';
import { mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { bytes, MiB } from '../../src/model/bytes.ts';
import { blockCgroups } from '../../src/platform/block-cgroups.ts';
import { limitedDevice } from '../../src/platform/device-number.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { rejection } from '../support/rejection.ts';
import { blankDisk, diskOfGuest } from './ground.ts';

/** Limits in cgroup v2 of a real kernel, in a tree as kubelet with systemd makes it. */
describe('limits for reading and writing in cgroup v2', () => {
  const uid = '0b0e005c-39ec-4719-bbfe-78aadbc3e4ad';
  const slices = [
    'kubepods.slice',
    'kubepods-burstable.slice',
    `kubepods-burstable-pod${uid.replaceAll('-', '_')}.slice`,
  ];
  const written = 8;
  const limits = { writeBytesPerSecond: bytes(MiB), readBytesPerSecond: bytes(MiB) };
  const unheard = (): void => expect.fail('nothing has to be done for another container');
  const undo: (() => Promise<unknown>)[] = [];
  let folder: string;
  let mount: string;
  let pod: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-io-'));
    await runCommand('modprobe', ['loop']);
    mount = join(folder, 'cgroup');
    await mkdir(mount);
    await runCommand('mount', ['-t', 'cgroup2', 'cgroup2', mount]);
  });

  after(async () => {
    await runCommand('umount', [mount]);
    await rm(folder, { recursive: true });
  });

  beforeEach(async () => {
    pod = mount;
    for (const slice of slices) {
      await writeFile(join(pod, 'cgroup.subtree_control'), '+io');
      pod = join(pod, slice);
      await mkdir(pod);
      const made = pod;
      undo.unshift(() => rmdir(made));
    }
    await container('first');
  });

  afterEach(async () => {
    for (const step of undo.splice(0)) await step();
  });

  async function container(name: string): Promise<void> {
    const path = join(pod, `cri-containerd-${name}.scope`);
    await mkdir(path);
    undo.unshift(() => rmdir(path));
  }

  async function loopDevice(): Promise<string> {
    const file = join(folder, 'image');
    await runCommand('fallocate', ['--length', '32M', file]);
    const device = (await runCommand('losetup', ['--find', '--show', file])).trim();
    undo.unshift(() => runCommand('losetup', ['--detach', device]));
    return device;
  }

  /** Milliseconds that a container of the pod takes. */
  async function writeTime(device: string, name = 'first'): Promise<number> {
    const procs = join(pod, `cri-containerd-${name}.scope`, 'cgroup.procs');
    const dd = `dd if=/dev/zero of=${device} bs=1M count=${written} oflag=direct`;
    const startedAt = performance.now();
    await runCommand('sh', ['-ec', `echo $$ > ${procs}; exec ${dd} 2>/dev/null`]);
    return performance.now() - startedAt;
  }

  async function isThrottled(device: string, name?: string): Promise<void> {
    const unlimited = await writeTime(device, name);
    await blockCgroups(mount).limit(uid, new Map([[await limitedDevice(device), limits]]), unheard);
    const limited = await writeTime(device, name);

    expect(limited).to.be.above((written * 1000) / 2);
    expect(limited / unlimited).to.be.above(2);
  }

  it('slow the containers of a pod down on a loop device, those to come as well', async () => {
    const device = await loopDevice();
    await isThrottled(device);

    await container('second');

    expect(await writeTime(device, 'second')).to.be.above((written * 1000) / 2);
  });

  it('stand in io.max of the pod', async () => {
    const number = await limitedDevice(await loopDevice());
    const throttle = blockCgroups(mount);
    await throttle.limit(uid, new Map([[number, { ...limits, readIops: 77 }]]), unheard);
    await throttle.limit(uid, new Map([[number, { writeIops: 88 }]]), unheard);

    expect((await readFile(join(pod, 'io.max'), 'utf8')).trim()).to.equal(
      `${number} rbps=${MiB} wbps=${MiB} riops=77 wiops=88`,
    );
  });

  it('slow a pod down on a logical volume', async () => {
    const disk = await diskOfGuest('ssd-a');
    undo.unshift(() => blankDisk('ssd-a'));
    await runCommand('vgcreate', ['limits', disk]);
    undo.unshift(() => runCommand('vgremove', ['--force', '--yes', 'limits']));
    await runCommand('lvcreate', ['--yes', '--name', 'data', '--size', '32m', 'limits']);

    await isThrottled('/dev/limits/data');
  });

  it('slow a pod down on a partition, by its disk', async () => {
    const disk = await diskOfGuest('ssd-a');
    undo.unshift(() => blankDisk('ssd-a'));
    await runCommand('sh', ['-ec', `printf 'size=32M\\n' | sfdisk --quiet --label gpt ${disk}`]);
    const partition = `${disk}1`;

    expect(await limitedDevice(partition)).to.equal(await limitedDevice(disk));
    await isThrottled(partition);
  });

  it('are refused for what is no device', async () => {
    expect((await rejection(limitedDevice(folder))).message).to.contain('no block device');
  });
});
