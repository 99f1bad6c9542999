import { expect } from 'chai';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cleanMedium } from '../../src/backends/discovery.ts';
import { lookForMedia } from '../../src/backends/discovery-look.ts';
import { parseDiscoverySpec } from '../../src/backends/discovery-options.ts';
import type { DiscoveryPlan } from '../../src/model/discovery.ts';
import type { Disk } from '../../src/model/disk.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import type { FoundEntry } from '../../src/usecases/discovery-ports.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { MiB } from '../support/objects.ts';
import { rejection } from '../support/rejection.ts';

const { signal } = new AbortController();
const look = lookForMedia(runCommand, { whoHas: () => undefined, directories: () => [] });
const clean = cleanMedium(runCommand);

describe('the directory of a discovery pool', function () {
  this.timeout(60_000);
  let root: string;
  let directory: string;
  let undo: (() => Promise<unknown>)[];

  beforeEach(async function () {
    needLoopDevices(this);
    root = await mkdtemp(join(tmpdir(), 'berth-found-'));
    directory = join(root, 'disks');
    undo = [];
    await mkdir(directory);
  });

  afterEach(async () => {
    for (const step of undo.reverse()) {
      await step().catch(() => undefined);
    }
    await rm(root, { recursive: true, force: true });
  });

  function plan(options: object = {}, at = directory): DiscoveryPlan {
    const discovery = { directory: at, storageClassName: 'found', ...options };
    const parsed = parseDiscoverySpec({ backend: 'discovery', discovery });
    if (!parsed.ok) {
      throw new Error(parsed.error);
    }
    return parsed.value.plan;
  }

  async function entries(options: object = {}): Promise<Record<string, FoundEntry>> {
    const [found] = await look([{ name: 'found', plan: plan(options) }], signal);
    return Object.fromEntries((found?.entries ?? []).map((entry) => [entry.name, entry]));
  }

  async function entry(name: string, options: object = {}): Promise<FoundEntry> {
    const found = (await entries(options))[name];
    if (found === undefined) {
      throw new Error(`${name} was not found`);
    }
    return found;
  }

  async function device(name: string, mebibytes = 16): Promise<string> {
    const file = join(root, `${name}.img`);
    await writeFile(file, '');
    await truncate(file, mebibytes * MiB);
    const path = (await runCommand('losetup', ['--find', '--show', file])).trim();
    undo.push(() => runCommand('losetup', ['--detach', path]));
    return path;
  }

  async function mount(args: readonly string[], point: string): Promise<void> {
    await mkdir(point, { recursive: true });
    await runCommand('mount', [...args, point]);
    undo.push(() => runCommand('umount', [point]));
  }

  async function ext4(name: string): Promise<string> {
    const path = await device(name);
    await runCommand('mkfs.ext4', ['-q', path]);
    await mount([path], join(directory, name));
    return path;
  }

  const limitOpenFiles = (limit: string) =>
    runCommand('prlimit', ['--pid', String(process.pid), `--nofile=${limit}:`]);

  it('holds mounts known by the UUID of their filesystem, wherever they are mounted', async () => {
    const path = await ext4('disk one');
    const uuid = (await runCommand('blkid', ['-p', '-s', 'UUID', '-o', 'value', path])).trim();
    const before = await entry('disk one');
    expect(before).to.include({ id: `fs-${uuid}`, mode: 'Filesystem', kind: 'filesystem' });
    expect(before.bytes).to.be.within(8 * MiB, 16 * MiB);
    expect(before.refusal).to.equal(undefined);
    await runCommand('umount', [join(directory, 'disk one')]);
    await mount([path], join(directory, 'ünd\\éé'));
    expect((await entry('ünd\\éé')).id).to.equal(before.id);
    expect((await entry('disk one')).id).to.equal(undefined);
    expect((await entry('disk one')).refusal).to.include('nothing is mounted');
  });

  it('says why it refuses what it cannot offer', async () => {
    await mkdir(join(directory, 'plain'));
    await writeFile(join(directory, 'file'), '');
    await symlink('/nonexistent', join(directory, 'dangling'));
    await symlink(root, join(directory, 'elsewhere'));
    const found = await entries();
    expect(found['plain']?.refusal).to.include('nothing is mounted');
    expect(found['file']?.refusal).to.include('neither');
    expect(found['dangling']?.refusal).to.include('nowhere');
    expect(found['elsewhere']?.refusal).to.include('mount --bind');
    expect(Object.values(found).every(({ id }) => id === undefined)).to.equal(true);
    expect(Object.keys(await entries({ namePattern: 'p*' }))).to.deep.equal(['plain']);
    const [gone] = await look([{ name: 'found', plan: plan({}, join(root, 'none')) }], signal);
    expect(gone?.problem).to.include('not there');
  });

  it('offers parts of one filesystem, and refuses those that share something', async () => {
    const path = await ext4('a');
    await mkdir(join(directory, 'a', 'one', 'deep'), { recursive: true });
    await mkdir(join(directory, 'a', 'two'));
    const whole = join(root, 'whole');
    await mount([path], whole);
    await runCommand('umount', [join(directory, 'a')]);
    for (const part of ['one', 'two']) {
      await mount(['--bind', join(whole, part)], join(directory, part));
    }
    const apart = await entries();
    expect(apart['one']?.refusal).to.equal(undefined);
    expect(apart['two']?.refusal).to.equal(undefined);
    expect(apart['one']?.id).to.not.equal(apart['two']?.id);
    await mount(['--bind', join(whole, 'one', 'deep')], join(directory, 'z'));
    await mount(['--bind', join(whole, 'two')], join(directory, 'zz'));
    const shared = await entries();
    expect(shared['one']?.refusal).to.include('shares');
    expect(shared['z']?.refusal).to.include('shares');
    expect(shared['two']?.refusal).to.equal(undefined);
    expect(shared['zz']?.refusal).to.include('same medium');
    // The device itself has all of it.
    await symlink(path, join(directory, 'dev'));
    const all = await entries();
    expect(all['dev']?.refusal).to.include('shares');
    expect(all['two']?.refusal).to.include('shares');
  });

  it('empties a filesystem: hidden and immutable files, odd names, links; not what they lead to', async () => {
    await ext4('disk');
    const at = join(directory, 'disk');
    const outside = join(root, 'outside');
    await writeFile(outside, 'precious');
    await mkdir(join(root, 'folder'));
    await writeFile(join(root, 'folder', 'precious'), '');
    await symlink(outside, join(at, 'link'));
    await symlink(join(root, 'folder'), join(at, 'linked folder'));
    await mkdir(join(at, '.hidden', '-rf', ' \n'), { recursive: true });
    await writeFile(join(at, '.hidden', '-rf', ' \n', '*'), 'x');
    await writeFile(join(at, 'lost+found', '#12'), 'x');
    await mkdir(join(at, 'locked'));
    await writeFile(join(at, 'locked', 'immutable'), 'x');
    await writeFile(join(at, 'log'), 'x');
    await chmod(join(at, 'locked'), 0o000);
    await runCommand('chattr', ['+a', join(at, 'log')]);
    await runCommand('chattr', ['+i', join(at, 'locked', 'immutable'), join(at, 'locked')]);

    expect(await clean(await entry('disk'), plan(), signal)).to.match(/^\d+ files/);
    expect(await readdir(at)).to.deep.equal(['lost+found']);
    expect(await readdir(join(at, 'lost+found'))).to.deep.equal([]);
    expect(await readFile(outside, 'utf8')).to.equal('precious');
    expect(await readdir(join(root, 'folder'))).to.deep.equal(['precious']);
    expect(await clean(await entry('disk'), plan(), signal)).to.match(/^0 files/);
  });

  it('leaves alone what is mounted below, and does not call that clean', async () => {
    await mount(['-t', 'tmpfs', 'tmpfs'], join(directory, 'mem'));
    const inner = join(directory, 'mem', 'sub', 'inner');
    await mount(['-t', 'tmpfs', 'tmpfs'], inner);
    await writeFile(join(inner, 'precious'), 'x');
    const bound = join(directory, 'mem', 'bound');
    await mkdir(join(directory, 'mem', 'real'));
    await mount(['--bind', join(directory, 'mem', 'real')], bound);
    const text = (await rejection(clean(await entry('mem'), plan(), signal))).message;
    expect(text).to.include('mounted');
    expect(await readdir(inner)).to.deep.equal(['precious']);
    await runCommand('umount', [inner]);
    await runCommand('umount', [bound]);
    await clean(await entry('mem'), plan(), signal);
    expect(await readdir(join(directory, 'mem'))).to.deep.equal([]);
  });

  it('never touches the directory under a mount that has gone', async () => {
    await ext4('disk');
    const before = await entry('disk');
    await runCommand('umount', [join(directory, 'disk')]);
    await writeFile(join(directory, 'disk', 'underneath'), 'x');
    expect((await rejection(clean(before, plan(), signal))).message).to.include('not the mount');
    expect(await readdir(join(directory, 'disk'))).to.deep.equal(['underneath']);
    await mount(['-t', 'tmpfs', 'tmpfs'], join(directory, 'disk'));
    await writeFile(join(directory, 'disk', 'of another'), 'x');
    await rejection(clean(before, plan(), signal));
    expect(await readdir(join(directory, 'disk'))).to.deep.equal(['of another']);
  });

  it('does not clean what a pod has mounted', async () => {
    await ext4('disk');
    const pod = join(root, 'pods/uid/volumes/kubernetes.io~local-volume/disk-1');
    await mount(['--bind', join(directory, 'disk')], pod);
    await writeFile(join(pod, 'data'), 'x');
    const found = await entry('disk');
    expect(found.use).to.include(pod);
    expect(found.refusal).to.equal(undefined);
    expect((await rejection(clean(found, plan(), signal))).message).to.include(pod);
    expect(await readdir(pod)).to.include('data');
  });

  for (const device_ of ['discard', 'zero', 'quick', 'none'] as const) {
    it(`cleans a device with ${device_}`, async () => {
      const path = await device('raw');
      await symlink(path, join(directory, 'raw'));
      await runCommand('mkfs.ext4', ['-q', path]);
      const handle = await open(path, 'r+');
      await handle.write('secret', 8 * MiB + 17);
      await handle.sync();
      await handle.close();
      const options = { clean: { device: device_ } };
      await clean(await entry('raw', options), plan(options), signal);
      const bytes = await readFile(path);
      const secret = bytes.subarray(8 * MiB + 17, 8 * MiB + 23).toString();
      expect(bytes).to.have.length(16 * MiB);
      expect(secret === 'secret').to.equal(['quick', 'none'].includes(device_));
      if (device_ === 'discard' || device_ === 'zero') {
        expect(bytes.every((byte) => byte === 0)).to.equal(true);
      }
      const left = await runCommand('wipefs', ['--noheadings', path]);
      expect(left.trim() === '').to.equal(device_ !== 'none');
    });
  }

  it('never cleans a device that is mounted, or lies under a loop device', async () => {
    const path = await device('raw');
    await symlink(path, join(directory, 'raw'));
    await runCommand('mkfs.ext4', ['-q', path]);
    const free = await entry('raw');
    await mount([path], join(root, 'mounted'));
    expect((await entry('raw')).use).to.include('in use');
    expect((await rejection(clean(free, plan(), signal))).message).to.include('in use');
    await runCommand('umount', [join(root, 'mounted')]);
    const over = (await runCommand('losetup', ['--find', '--show', path])).trim();
    undo.push(() => runCommand('losetup', ['--detach', over]));
    expect((await rejection(clean(free, plan(), signal))).message).to.include(over);
    await runCommand('losetup', ['--detach', over]);

    // As kubelet does: over a name of its own.
    const name = join(root, 'volumeDevices');
    await writeFile(name, '');
    await runCommand('mount', ['--bind', path, name]);
    undo.push(() => runCommand('umount', [name]));
    const hidden = (await runCommand('losetup', ['--find', '--show', name])).trim();
    undo.push(() => runCommand('losetup', ['--detach', hidden]));
    expect((await entry('raw')).use).to.include(hidden);
    expect((await rejection(clean(free, plan(), signal))).message).to.include(hidden);
    expect((await runCommand('blkid', ['-p', path])).trim()).to.include('ext4');
  });

  it('never offers or cleans a disk that a pool cuts volumes of', async () => {
    const path = await device('raw');
    await symlink(path, join(directory, 'raw'));
    await ext4('disk');
    const directories = () => [];
    const whoHas = (disk: Disk) => (disk.path === path ? 'fast' : undefined);
    const whose = lookForMedia(runCommand, { whoHas, directories });
    const [found] = await whose([{ name: 'found', plan: plan() }], signal);
    const refusals = found?.entries.map(({ name, refusal }) => [name, refusal]);
    expect(refusals).to.deep.equal([
      ['disk', undefined],
      ['raw', 'it belongs to pool fast'],
    ]);
    const notSaid = () => {
      throw new Error('not said yet');
    };
    const unknown = lookForMedia(runCommand, { whoHas: notSaid, directories });
    const error = await rejection(unknown([{ name: 'found', plan: plan() }], signal));
    expect(error.message).to.include('not said yet');
  });

  it('never offers or cleans what pools cut of a medium, or a place where they keep files', async () => {
    const path = await ext4('disk');
    const other = await ext4('other');
    const parts = (whose: string | undefined, kept: string | undefined) =>
      lookForMedia(runCommand, {
        whoHas: (disk) => (disk.path === path ? whose : undefined),
        directories: () => (kept === undefined ? [] : [{ pool: 'files', directory: kept }]),
      });
    const refusals = async (...about: Parameters<typeof parts>) => {
      const [found] = await parts(...about)([{ name: 'found', plan: plan() }], signal);
      return Object.fromEntries(found?.entries.map((one) => [one.name, one.refusal]) ?? []);
    };

    // A mounted part of a disk is the pool's as well.
    expect((await refusals('fast', undefined))['disk']).to.equal('it belongs to pool fast');
    const below = join(directory, 'other', 'not', 'yet');
    const kept = await refusals(undefined, below);
    expect(kept['other']).to.include(`it holds ${below} of pool files`);
    expect(kept['disk']).to.equal(undefined);
    await runCommand('umount', [join(directory, 'other')]);
    await symlink(other, join(directory, 'raw'));
    await mount([other], join(root, 'pool'));
    expect((await refusals(undefined, join(root, 'pool')))['raw']).to.include('pool files');
    expect((await refusals(undefined, join(root, 'folder')))['raw']).to.equal(undefined);
  });

  it('refuses what nothing tells from another medium, and a medium beside its copy', async () => {
    const path = await device('nameless');
    await runCommand('mkfs.ext4', ['-q', path]);
    await runCommand('tune2fs', ['-U', 'clear', path]);
    await mount([path], join(directory, 'nameless'));
    const nameless = await entry('nameless');
    expect(nameless.id).to.equal(undefined);
    expect(nameless.refusal).to.include('no UUID');
    await rejection(clean({ ...nameless, refusal: undefined }, plan(), signal));
    expect(await readdir(join(directory, 'nameless'))).to.deep.equal(['lost+found']);

    await ext4('disk');
    const known = await entry('disk');
    await runCommand('sync', ['-f', join(directory, 'disk')]);
    await copyFile(join(root, 'disk.img'), join(root, 'copied.img'));
    const copy = (
      await runCommand('losetup', ['--find', '--show', join(root, 'copied.img')])
    ).trim();
    undo.push(() => runCommand('losetup', ['--detach', copy]));
    await mount([copy], join(directory, 'copy'));
    const found = await entries();
    for (const name of ['disk', 'copy']) {
      expect(found[name]).to.include({ id: known.id });
      expect(found[name]?.refusal).to.include('copy');
    }
  });

  it('empties directories that are nested deeper than it may have files open', async () => {
    await ext4('disk');
    const at = join(directory, 'disk');
    await runCommand('sh', [
      ...['-ec', 'cd "$1"; for i in $(seq 300); do mkdir d; : > f; cd -P d; done', 'sh', at],
    ]);
    const found = await entry('disk');
    const args = ['--pid', String(process.pid), '--nofile', '--output', 'SOFT', '--noheadings'];
    const before = (await runCommand('prlimit', args)).trim();
    await limitOpenFiles('256');
    undo.push(() => limitOpenFiles(before));
    expect(await clean(found, plan(), signal)).to.match(/^\d+ files/);
    expect(await readdir(at)).to.deep.equal(['lost+found']);
  });

  it('offers a device as Block where asked, and no filesystem then', async () => {
    await ext4('disk');
    const path = await device('raw');
    await symlink(path, join(directory, 'raw'));
    const found = await entries({ volumeMode: 'Block' });
    expect(found['raw']).to.include({ mode: 'Block', bytes: 16 * MiB });
    expect(found['raw']?.refusal).to.equal(undefined);
    expect(found['disk']?.refusal).to.include('Block');
  });
});
