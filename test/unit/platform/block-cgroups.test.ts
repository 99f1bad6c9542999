import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { bytes, MiB } from '../../../src/model/bytes.ts';
import { blockCgroups } from '../../../src/platform/block-cgroups.ts';
import {
  changesV1,
  changesV2,
  isPodCgroup,
  isSomePodCgroup,
} from '../../../src/platform/block-limits.ts';
import { rejection } from '../../support/rejection.ts';
import { waitFor } from '../../cluster/wait.ts';

const uid = '0b0e005c-39ec-4719-bbfe-78aadbc3e4ad';
const inSystemd = uid.replaceAll('-', '_');
const v1 = {
  readIops: 'blkio.throttle.read_iops_device',
  writeIops: 'blkio.throttle.write_iops_device',
  readBps: 'blkio.throttle.read_bps_device',
  writeBps: 'blkio.throttle.write_bps_device',
};

describe('names of cgroups of pods', () => {
  const names = {
    'of the driver cgroupfs': `pod${uid}`,
    'of the driver systemd': `kubepods-pod${inSystemd}.slice`,
    'of systemd, burstable': `kubepods-burstable-pod${inSystemd}.slice`,
    'of systemd, below a root of its own': `a-b-kubepods-besteffort-pod${inSystemd}.slice`,
  };
  for (const [what, name] of Object.entries(names)) {
    it(`are recognised ${what}`, () => {
      expect(isPodCgroup(name, uid)).to.equal(true);
      expect(isSomePodCgroup(name)).to.equal(true);
      expect(isPodCgroup(name, uid.replace('0b', '0c'))).to.equal(false);
    });
  }

  for (const name of ['kubepods', 'kubepods-burstable.slice', 'podman.scope', 'system.slice']) {
    it(`are not seen in ${name}`, () => {
      expect(isSomePodCgroup(name)).to.equal(false);
    });
  }
});

describe('what is written into the files of cgroups', () => {
  const limits = new Map([['7:3', { readIops: 20, writeBytesPerSecond: bytes(MiB) }]]);

  it('is a line of all limits of a device in v2, and of no other key', () => {
    expect(changesV2('', limits)).to.deep.equal(['7:3 riops=20 wbps=1048576']);
  });

  it('is what differs in v2', () => {
    const now = '8:0 rbps=1 wbps=max riops=max wiops=max\n7:3 rbps=max wbps=7 riops=20 wiops=9\n';

    expect(changesV2(now, limits)).to.deep.equal(['7:3 wbps=1048576']);
    expect(changesV2(now.replace('wbps=7', 'wbps=1048576'), limits)).to.deep.equal([]);
  });

  it('is a line per file in v1', () => {
    expect(changesV1('', limits, 'readIops')).to.deep.equal(['7:3 20']);
    expect(changesV1('', limits, 'writeIops')).to.deep.equal([]);
    expect(changesV1('7:30 20\n', limits, 'readIops')).to.deep.equal(['7:3 20']);
    expect(changesV1('8:0 1\n7:3 20\n', limits, 'readIops')).to.deep.equal([]);
  });
});

describe('blockCgroups', () => {
  const limits = new Map([['7:3', { readIops: 20, writeBytesPerSecond: bytes(MiB) }]]);
  const unheard = (): void => expect.fail('no container has begun');
  let mount: string;

  beforeEach(async () => {
    mount = await mkdtemp(join(tmpdir(), 'berth-cgroups-'));
  });
  afterEach(async () => {
    await rm(mount, { recursive: true });
  });

  async function cgroupV2(...path: string[]): Promise<string> {
    const folder = join(mount, ...path);
    await mkdir(folder, { recursive: true });
    await writeFile(join(mount, 'cgroup.controllers'), 'cpu io memory\n');
    await writeFile(join(folder, 'io.max'), '');
    return folder;
  }

  async function cgroupV1(...path: string[]): Promise<string> {
    const folder = join(mount, 'blkio', ...path);
    await mkdir(folder, { recursive: true });
    await Promise.all(Object.values(v1).map((file) => writeFile(join(folder, file), '')));
    return folder;
  }

  for (const path of [
    ['kubepods', 'besteffort', `pod${uid}`],
    ['kubepods', `pod${uid}`],
    ['kubepods.slice', 'kubepods-burstable.slice', `kubepods-burstable-pod${inSystemd}.slice`],
    ['some', 'root', 'of', 'kubelet', 'kubepods', 'burstable', `pod${uid}`],
  ]) {
    it(`limits a pod in ${path.join('/')}, v2`, async () => {
      await cgroupV2('kubepods', 'burstable', 'pod11111111-2222-3333-4444-555555555555');
      const folder = await cgroupV2(...path);

      await blockCgroups(mount).limit(uid, limits, unheard);

      expect(await readFile(join(folder, 'io.max'), 'utf8')).to.equal('7:3 riops=20 wbps=1048576');
    });
  }

  it('limits a pod and each of its containers, v1', async () => {
    const folder = await cgroupV1('kubepods', 'besteffort', `pod${uid}`);
    const containers = [join(folder, 'a'), join(folder, 'b'), join(folder, 'b/within')];
    for (const container of containers) {
      await cgroupV1('kubepods', 'besteffort', `pod${uid}`, container.slice(folder.length));
    }
    const throttle = blockCgroups(mount);

    await throttle.limit(uid, limits, unheard);

    for (const each of [folder, ...containers]) {
      expect(await readFile(join(each, v1.readIops), 'utf8')).to.equal('7:3 20');
      expect(await readFile(join(each, v1.writeBps), 'utf8')).to.equal('7:3 1048576');
      expect(await readFile(join(each, v1.writeIops), 'utf8')).to.equal('');
    }
    throttle.forget(uid);
  });

  it('hears of a container that begins, v1', async () => {
    const folder = await cgroupV1('kubepods', `pod${uid}`);
    const throttle = blockCgroups(mount);
    let heard = 0;
    await throttle.limit(uid, limits, () => (heard += 1));

    await mkdir(join(folder, 'fresh'));

    await waitFor('the container to be heard of', () => heard > 0, { timeoutMs: 5_000 });
    throttle.forget(uid);
  });

  it('finds the cgroup again where it was made anew', async () => {
    const before = await cgroupV2('kubepods', `pod${uid}`);
    const throttle = blockCgroups(mount);
    await throttle.limit(uid, limits, unheard);
    await rm(before, { recursive: true });
    const after = await cgroupV2('kubepods', 'burstable', `pod${uid}`);

    await throttle.limit(uid, limits, unheard);

    expect(await readFile(join(after, 'io.max'), 'utf8')).to.contain('riops=20');
  });

  it('says what is missing', async () => {
    const throttle = blockCgroups(mount);
    const limit = () => rejection(throttle.limit(uid, limits, unheard));

    expect((await limit()).message).to.contain(`${mount} has neither`);
    await writeFile(join(mount, 'cgroup.controllers'), 'cpu\n');
    expect((await limit()).message).to.contain(`pod ${uid} has no cgroup`);
    await mkdir(join(mount, 'kubepods', `pod${uid}`), { recursive: true });
    expect((await limit()).message).to.contain('io.max is missing');
  });
});
