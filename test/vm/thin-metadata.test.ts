import { expect } from 'chai';
import { open } from 'node:fs/promises';

import { healthSources } from '../../src/commands/health-sources.ts';
import { MiB } from '../../src/model/bytes.ts';
import { NoSpaceError } from '../../src/model/errors.ts';
import { deviceChains } from '../../src/platform/health/block-chain.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { measurePool } from '../../src/usecases/measure-pool.ts';
import { PoolUnusableError } from '../../src/usecases/ports.ts';
import { HealthWatch } from '../../src/usecases/watch-health.ts';
import { waitFor } from '../cluster/wait.ts';
import { sized } from '../support/identities.ts';
import { rejection } from '../support/rejection.ts';
import { lvmGround, type LvmGround } from './lvm-ground.ts';

const { signal } = new AbortController();
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * Sends the message `create_thin ID` (dm-thin) to a device, again and again: DM_TARGET_MSG with a struct dm_ioctl, of
 * 312 bytes, and a struct dm_target_msg. A program for each would take minutes on an emulated processor.
 */
const createThins = `
  my ($name, $first, $count) = @ARGV;
  open(my $control, '+<', '/dev/mapper/control') or die $!;
  for my $id ($first .. $first + $count - 1) {
    my $message = pack('Q Z*', 0, "create_thin $id");
    my $size = 312 + length($message);
    my $head = pack('L3 L3 l L3 Q a128 a129 x7', 4, 0, 0, $size, 312, 0, 0, 0, 0, 0, 0, $name, '');
    my $call = $head . $message;
    ioctl($control, 0xc138fd0e, $call) or die "$id: $!";
  }`;

describe('a thin pool whose metadata fills up', function () {
  this.timeout(500_000);
  const lvm = { type: 'thin', thin: { size: '64Mi', overcommit: '2.0' } };
  const mapped = 'guest-berth--thin-tpool';
  let ground: LvmGround;

  before(async () => {
    ground = await lvmGround();
    await ground.makeGroup({ 'ssd-a': 96 });
  });

  after(async () => {
    await ground.empty();
    await ground.cleanUp();
  });

  /** The kernel gives every thin device a block of metadata, written to or not. */
  const useMetadata = (first: number, count: number) =>
    runCommand('perl', ['-e', createThins, mapped, String(first), String(count)]);

  it('warns, refuses before it is full, is unusable when it is, and well once it has more', async () => {
    const backend = ground.open(lvm);
    const one = sized('1', 8);
    await backend.ensure(one, signal);
    const path = await backend.attach(one, signal);
    const write = async (text: string, at = 0): Promise<void> => {
      const handle = await open(path, 'r+');
      await handle.write(text, at);
      await handle.sync();
      await handle.close();
    };
    await write('kept');
    const standing = async () => {
      const pool = { name: 'fast', backend: 'lvm', applies: true, storage: backend };
      return (await measurePool(pool, () => undefined, signal)).standing;
    };
    const { under: paths = [] } = await backend.usage(signal);
    const watch = new HealthWatch({
      ...healthSources(
        { hostMounts: '/proc/self/mountinfo', healthProbeInterval: 1_200 },
        runCommand,
        log,
      ),
      ...{ chains: deviceChains(), now: Date.now, quietMs: 1 },
    });
    const untilHealth = (state: string) =>
      waitFor(
        `the pool to be ${state}`,
        async () => {
          const { pools } = await watch.look({ pools: [{ pool: 'fast', paths }], volumes: [] });
          const health = pools.get('fast');
          return `${health?.state ?? 'well'} ${health?.reason ?? ''}`.trim() === state;
        },
        { timeoutMs: 60_000, intervalMs: 100 },
      );
    expect((await standing()).warnings).to.equal(undefined);

    // Its 2 MiB are 512 blocks.
    await useMetadata(1000, 370);
    const warned = await standing();
    expect(warned.thin?.metadataUsedPercent).to.be.within(80, 89);
    expect(warned.healthy).to.equal(true);
    expect(warned.free).to.equal(120 * MiB);
    expect(warned.warnings?.join()).to.include('of its metadata');

    await useMetadata(2000, 50);
    const refusing = await standing();
    expect(refusing.thin?.metadataUsedPercent).to.be.within(90, 99);
    expect(refusing).to.include({ healthy: true, free: 0 });
    expect(refusing.warnings?.join()).to.include('from 90% on nothing new is made');
    expect(await rejection(backend.ensure(sized('2', 1), signal))).to.be.instanceOf(NoSpaceError);
    await write('more', 64 * 1024);

    await rejection(useMetadata(3000, 100));
    const full = await standing();
    expect(full).to.include({ healthy: false, free: 0, volumes: 1 });
    expect(full.message).to.include('guest/berth-thin').and.include('its metadata is full');
    expect(full.message).to.include('lvextend --poolmetadatasize');
    await untilHealth('suspect ThinPoolFull');
    for (const call of [
      () => backend.ensure(sized('2', 1), signal),
      () => backend.grow(sized('1', 16), signal),
      () => backend.remove(one, 'discard', signal),
    ]) {
      const error = await rejection(call());
      expect(error).to.be.instanceOf(PoolUnusableError);
      expect(error.message).to.include('lvextend --poolmetadatasize');
    }
    expect((await ground.open(lvm).list(signal)).volumes).to.have.length(1);
    expect(await ground.open(lvm).attach(one, signal)).to.equal(path);
    expect(await runCommand('dd', [`if=${path}`, 'bs=4', 'count=1', 'status=none'])).to.equal(
      'kept',
    );

    await runCommand('lvm', ['lvextend', '--poolmetadatasize', '+4m', 'guest/berth-thin']);
    const well = await standing();
    expect(well).to.include({ healthy: true, free: 120 * MiB });
    expect(well.warnings).to.equal(undefined);
    await untilHealth('well');
    await write('again', MiB);
    await backend.ensure(sized('2', 1), signal);
    await backend.remove(one, 'discard', signal);
    expect((await standing()).volumes).to.equal(1);
  });
});
