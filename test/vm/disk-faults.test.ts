import { expect } from 'chai';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { healthSources } from '../../src/commands/health-sources.ts';
import type { Health, TroubleReason } from '../../src/model/health.ts';
import { deviceChains } from '../../src/platform/health/block-chain.ts';
import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import { HealthWatch, type HealthPicture } from '../../src/usecases/watch-health.ts';
import { waitFor } from '../cluster/wait.ts';
import { sized } from '../support/identities.ts';
import { rejection } from '../support/rejection.ts';
import { blankDisk, diskOfGuest, warnOfDisk } from './ground.ts';
import { lvmGround, type LvmGround } from './lvm-ground.ts';

const quietMs = 3_000;
const lookMs = 100;
/** In place of an hour; a twelfth of it is waited after a hint. */
const healthProbeInterval = 1_200;
const sectors = 256 * 2048;
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const { signal } = new AbortController();

/** A disk of device-mapper, `/dev/mapper/NAME`, that does as its table says. */
class BadDisk {
  readonly name: string;
  readonly #below: string;

  constructor(name: string, below: string) {
    this.name = name;
    this.#below = below;
  }

  get path(): string {
    return `/dev/mapper/${this.name}`;
  }

  async make(): Promise<void> {
    await runCommand('dmsetup', ['create', this.name, '--table', this.#table('linear')]);
  }

  /** From now on; what waits is answered by the new table. */
  async becomes(kind: 'linear' | 'error' | 'flakey' | 'delay'): Promise<void> {
    await runCommand('dmsetup', ['suspend', '--noflush', '--nolockfs', this.name]);
    await runCommand('dmsetup', ['reload', this.name, '--table', this.#table(kind)]);
    await runCommand('dmsetup', ['resume', this.name]);
  }

  async remove(): Promise<void> {
    await runCommand('dmsetup', ['remove', '--retry', this.name]);
  }

  #table(kind: string): string {
    // Not from its beginning: LVM would find there what it writes on this one.
    const below = `${this.#below} 2048`;
    const rest = {
      ...{ linear: ` ${below}`, error: '', delay: ` ${below} 300` },
      // It works for no second, and fails for the rest of the hour.
      flakey: ` ${below} 0 3600`,
    };
    return `0 ${sectors} ${kind}${rest[kind as keyof typeof rest]}`;
  }
}

describe('the health of disks that really fail', function () {
  this.timeout(240_000);
  let folder: string;
  const undo: (() => Promise<unknown>)[] = [];
  const calls: string[] = [];
  const counting: RunCommand = (program, args, ...rest) => {
    calls.push([program, ...args].join(' '));
    return runCommand(program, args, ...rest);
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'berth-faults-'));
    calls.length = 0;
  });

  afterEach(async () => {
    for (const step of undo.splice(0)) await step();
    for (const serial of ['ssd-a', 'ssd-b'] as const) await blankDisk(serial);
    await rm(folder, { recursive: true });
  });

  async function badDisk(name: string, below: 'ssd-a' | 'ssd-b'): Promise<BadDisk> {
    const disk = new BadDisk(name, await diskOfGuest(below));
    await disk.make();
    undo.unshift(async () => {
      await disk.becomes('linear');
      await disk.remove();
    });
    return disk;
  }

  /** Looks as an agent would at a pool in a directory or on disks, and at the volumes in it. */
  function watching(pool: readonly string[], volumes: readonly string[] = []) {
    const options = { hostMounts: '/proc/self/mountinfo', healthProbeInterval };
    const watch = new HealthWatch({
      ...healthSources(options, counting, log),
      ...{ chains: deviceChains(), now: Date.now, quietMs },
    });
    const places = {
      pools: [{ pool: 'fast', paths: pool }],
      volumes: volumes.map((path) => ({ name: basename(path), pool: 'fast', path })),
    };
    const look = (): Promise<HealthPicture> => watch.look(places);
    const until = (
      what: string,
      isSo: (picture: HealthPicture) => boolean,
      meanwhile?: () => Promise<unknown>,
    ) => {
      let last: HealthPicture | undefined;
      return waitFor(
        what,
        async () => {
          await meanwhile?.();
          last = await look();
          return isSo(last) ? last : undefined;
        },
        {
          ...{ timeoutMs: 60_000, intervalMs: lookMs },
          explain: async () => JSON.stringify([last?.devices, last?.seen]),
        },
      );
    };
    const well = () =>
      until('all to be well', ({ devices, pools, volumes: ill }) =>
        [devices.length, pools.size, ill.size].every((count) => count === 0),
      );
    return { look, until, well };
  }

  const is = (health: Health | undefined, state: string, ...reasons: TroubleReason[]): boolean =>
    health?.state === state && reasons.includes(health.reason);

  it('a filesystem on a disk that fails every request is failing, until it is repaired', async () => {
    const disk = await badDisk('broken', 'ssd-a');
    await runCommand('mkfs.ext4', ['-q', disk.path]);
    const mount = () => runCommand('mount', [disk.path, folder]);
    await mount();
    undo.unshift(() => runCommand('umount', [folder]));
    const { until, well } = watching([folder]);
    await well();

    const write = () => runCommand('dd', [...dd, `of=${folder}/file`, 'conv=notrunc,fsync']);
    await write();
    await disk.becomes('error');
    await rejection(write());

    // The filesystem notices at its next commit, or at the first use after that.
    const picture = await until(
      'the filesystem and the kernel to tell of it',
      ({ troubles }) =>
        ['WriteErrors', 'FilesystemErrors'].every((reason) =>
          troubles.some((each) => each.reason === reason && each.state === 'failing'),
        ),
      () => write().catch(() => undefined),
    );
    expect(picture.pools.get('fast')?.state).to.equal('failing');
    expect(picture.devices).to.have.lengthOf(1);
    expect(picture.devices[0]?.pools).to.deep.equal(['fast']);
    expect(picture.devices[0]?.message).to.match(/dm-\d/);

    await disk.becomes('linear');
    await runCommand('umount', [folder]);
    await runCommand('e2fsck', ['-fy', disk.path]).catch(repaired);
    await mount();
    await well();
  });

  it('a disk that fails reads now and then is suspect, and failing when it goes on', async () => {
    const disk = await badDisk('flaky', 'ssd-a');
    const { look, until, well } = watching([], [disk.path]);
    await well();
    const read = () => rejection(runCommand('dd', [`if=${disk.path}`, 'of=/dev/null', 'count=1']));

    await disk.becomes('flakey');
    await read();
    const first = await until('the volume to be ill', ({ volumes }) => volumes.size > 0);
    expect(is(first.volumes.get('flaky'), 'suspect', 'ReadErrors')).to.equal(true);
    for (let reads = 0; reads < 2; reads += 1) {
      await read();
      await look();
    }
    expect(is((await look()).volumes.get('flaky'), 'failing', 'ReadErrors')).to.equal(true);

    await disk.becomes('linear');
    await runCommand('dd', [`if=${disk.path}`, 'of=/dev/null', 'count=1']);
    await well();
  });

  it('a disk that has become slow is suspect, with numbers, and never failing', async () => {
    const disk = await badDisk('slow', 'ssd-a');
    const { look, well } = watching([], [disk.path]);
    const read = () =>
      runCommand('dd', [`if=${disk.path}`, 'of=/dev/null', 'bs=4k', 'count=6', 'iflag=direct']);
    for (let looks = 0; looks < 32; looks += 1) {
      await read();
      expect((await look()).devices).to.deep.equal([]);
    }

    await disk.becomes('delay');
    let last = await look();
    for (let looks = 0; looks < 8; looks += 1) {
      await read();
      last = await look();
    }

    expect(is(last.volumes.get('slow'), 'suspect', 'Slow')).to.equal(true);
    expect(last.volumes.get('slow')?.message).to.match(
      /dm-\d+ is slow: \d+ requests took 3\d\d ms/,
    );
    // The disk below it is as fast as it was.
    expect(last.devices).to.have.lengthOf(1);

    await disk.becomes('linear');
    await well();
  });

  describe('in a volume group', () => {
    let ground: LvmGround;
    let leg: BadDisk;

    beforeEach(async () => {
      ground = await lvmGround();
      leg = await badDisk('leg', 'ssd-b');
      const disks = [await diskOfGuest('ssd-a'), leg.path];
      for (const path of disks) {
        await runCommand('lvm', ['pvcreate', '--yes', '--setphysicalvolumesize', '129m', path]);
      }
      await runCommand('lvm', ['vgcreate', '--physicalextentsize', '1m', 'guest', ...disks]);
      undo.unshift(() => ground.cleanUp());
    });

    /** A volume of a new pool, as kubelet would use it, and what a report says its pool lies on. */
    async function volumeOf(lvm: Readonly<Record<string, unknown>>, mebibytes: number) {
      const backend = ground.open(lvm);
      const volume = sized('1', mebibytes);
      await backend.ensure(volume, signal);
      const path = await backend.attach(volume, signal);
      const usage = () => backend.usage(signal);
      return { name: volume.name, path, usage, under: (await usage()).under ?? [] };
    }

    it('a mirror that loses a copy is suspect, keeps its data, and is well when it has two again', async () => {
      const { name, path, usage, under } = await volumeOf({ type: 'mirrored', copies: 2 }, 16);
      await waitFor('both copies', async () => (await synced(name)) === 100, {
        ...{ timeoutMs: 60_000, intervalMs: 200 },
      });
      await writeFile(path, 'what was there before');
      await runCommand('sync', [path]);
      const { until, look, well } = watching(under, [path]);
      await well();

      await leg.becomes('error');
      await runCommand('dd', [...dd, `of=${path}`, 'oflag=direct', 'seek=1']);

      const seen = await until('LVM to miss a copy', ({ troubles }) =>
        troubles.some(({ reason }) => reason === 'LvmDegraded'),
      );
      expect(seen.volumes.get(name)?.state).to.equal('suspect');
      const content = await runCommand('dd', [`if=${path}`, 'bs=4k', 'count=1', 'iflag=direct']);
      expect(content).to.contain('what was there before');
      const said = (await usage()).warnings?.join() ?? '';
      expect(said).to.match(new RegExp(`guest/${name}: (partial|refresh needed)`));
      expect((await look()).volumes.get(name)?.state).to.equal('suspect');

      await leg.becomes('linear');
      await runCommand('lvm', ['lvchange', '--refresh', `guest/${name}`]);
      await well();
      expect((await usage()).warnings).to.equal(undefined);
    });

    it('a thin pool that is full is suspect, and well when it has room again', async () => {
      const thin = { type: 'thin', thin: { size: '16Mi', overcommit: 4 } };
      const { name, path, usage, under } = await volumeOf(thin, 40);
      const { until, well } = watching(under, [path]);
      await well();

      const writing = runCommand('dd', [...dd, `of=${path}`, 'oflag=direct', 'count=24', 'bs=1M']);
      writing.catch(() => undefined);
      const seen = await until('the thin pool to be full', ({ pools, volumes }) =>
        [pools.get('fast'), volumes.get(name)].every((each) => is(each, 'suspect', 'ThinPoolFull')),
      );
      expect(seen.pools.get('fast')?.message).to.contain('guest/berth-thin');
      expect((await usage()).warnings?.join()).to.contain('out_of_data');

      await runCommand('lvm', ['lvextend', '--size', '32m', 'guest/berth-thin']);
      await writing;
      await well();
    });
  });

  describe('by what they say themselves', () => {
    it('an NVMe disk is failing by its own verdict, suspect by heat, and well again', async () => {
      const disk = await diskOfGuest('nvme-a');
      undo.unshift(() => warnOfDisk('nvme-a', 0));
      const { until, well } = watching([disk]);
      await until('the disk to be asked', () => calls.length > 0);
      await well();

      await warnOfDisk('nvme-a', 0x04);
      const picture = await until('the pool to be failing', ({ pools }) =>
        is(pools.get('fast'), 'failing', 'SmartFailed'),
      );
      expect(picture.devices[0]).to.include({ device: basename(disk), reason: 'SmartFailed' });
      expect(picture.devices[0]?.message).to.contain(basename(disk));

      await warnOfDisk('nvme-a', 0x02);
      await until('the pool to be suspect', ({ pools }) =>
        is(pools.get('fast'), 'suspect', 'SmartWarning'),
      );
      await warnOfDisk('nvme-a', 0);
      await well();
    });

    it('an ATA disk is asked again and again, one without SMART once', async () => {
      const [ata, scsi, virtio] = [
        await diskOfGuest('ata-a'),
        await diskOfGuest('ssd-a'),
        await diskOfGuest('virtio-a'),
      ];
      const { until, look } = watching([ata, scsi, virtio]);
      const asked = (disk: string) => calls.filter((call) => call.endsWith(` ${disk}`)).length;
      await until('the ATA disk to be asked three times', () => asked(ata) === 3);

      expect([asked(scsi), asked(virtio)]).to.deep.equal([1, 1]);
      expect((await look()).devices).to.deep.equal([]);
    });
  });
});

const dd = ['if=/dev/zero', 'bs=64k', 'count=4'];

/** How much of the copies of a mirror is the same, in percent. */
async function synced(name: string): Promise<number> {
  const args = ['lvs', '--noheadings', '-o', 'sync_percent', `guest/${name}`];
  return Number(await runCommand('lvm', args));
}

/** e2fsck ends with 1 where it has repaired something. */
function repaired(error: unknown): string {
  if ((error as { exitCode?: number }).exitCode === 1) {
    return '';
  }
  throw error as Error;
}
