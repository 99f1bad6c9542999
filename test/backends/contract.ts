import { expect } from 'chai';
import { open, type FileHandle } from 'node:fs/promises';
import { bytes, formatBytes, MiB, sumBytes, type Bytes } from '../../src/model/bytes.ts';
import { NoSpaceError } from '../../src/model/errors.ts';
import { runCommand } from '../../src/platform/run-command.ts';
import { ForeignVolumeError, type StorageBackend } from '../../src/usecases/ports.ts';
import { uidOf, volumeNamed } from '../support/identities.ts';
import { rejection } from '../support/rejection.ts';

/** A pool on the real medium that holds two volumes of 25 MiB, and not three. */
export interface PoolUnderTest {
  readonly backend: StorageBackend;
  /** What it measures while it is empty. */
  readonly total: Bytes;
  readonly largest: Bytes;
  /** The same pool as an agent sees it that was started anew. */
  reopen(): StorageBackend;
  /** Takes from the node what a reboot takes. */
  reboot(): Promise<void>;
  readonly allocatedFor: (wanted: Bytes) => Bytes;
  /** How to use a volume; missing where the path is a block device. */
  readonly content?: VolumeContent;
  cleanUp(): Promise<void>;
}

/** The data of a volume at the path that kubelet would get. */
export interface VolumeContent {
  /** Writes from the beginning on, and waits until it is on the medium. */
  readonly write: (path: string, text: string) => Promise<void>;
  /** Reads from the beginning on: at most `length` bytes, fewer where no more were ever written. */
  readonly read: (path: string, length: number) => Promise<string>;
}

/** Promises that a backend cannot keep as they stand; another one takes the place of each. */
export interface Waived {
  /** A volume gets all of a disk: at least what was asked, and more than was said. */
  readonly exactSizes?: true;
  /** With policy `none` the next volume may show old bytes, but never an old filesystem. */
  readonly oldBytesWithNone?: true;
  /** Its volumes lie in one piece and cannot grow: it says so, and leaves them as they are. */
  readonly growth?: true;
  /** Its volumes are directories: nobody has a device of one open. */
  readonly openDevice?: true;
}

/** What every backend promises. Each backend's test calls this once. */
export function describeBackend(
  name: string,
  makeEmpty: () => Promise<PoolUnderTest>,
  waived: Waived = {},
): void {
  describe(`${name} keeps the promises of a backend`, () => {
    const { signal } = new AbortController();
    let pool: PoolUnderTest;
    let backend: StorageBackend;
    let { write, read }: VolumeContent = deviceContent;

    beforeEach(async () => {
      pool = await makeEmpty();
      ({ backend } = pool);
      ({ write, read } = pool.content ?? deviceContent);
    });

    afterEach(() => pool.cleanUp());

    const request = (label: string, size: number) => ({
      ...volumeNamed(label),
      bytes: bytes(size),
    });
    const small = request('1', 4 * MiB);
    const other = request('2', 4 * MiB);

    it('is empty at first, and all of it is free', async () => {
      const { total, largest } = pool;
      const usage = await backend.usage(signal);

      expect(usage).to.deep.include({ total, allocated: 0, free: total, largest, volumes: [] });
      expect(await backend.list(signal)).to.deep.equal({ volumes: [], strays: [] });
    });

    it('makes the same volume once however often it is asked', async () => {
      const first = await backend.ensure(small, signal);
      const again = await Promise.all([
        backend.ensure(small, signal),
        backend.ensure(small, signal),
        pool.reopen().ensure(small, signal),
      ]);

      expect(again).to.deep.equal([first, first, first]);
      expect((await backend.list(signal)).volumes).to.deep.equal([first]);
      expect(await backend.find(small, signal)).to.deep.equal(first);
    });

    it('gives at least what was asked, and counts exactly what it said it would', async () => {
      const volume = await backend.ensure(request('1', 5 * MiB + 1), signal);
      const { allocated, free, volumes } = await backend.usage(signal);

      expect(volumes).to.deep.equal([volume.name]);
      expect(volume.bytes).to.be.at.least(5 * MiB + 1);
      const said = pool.allocatedFor(bytes(5 * MiB + 1));
      if (waived.exactSizes) {
        expect(volume.allocatedBytes).to.be.at.least(said);
      } else {
        expect(volume.allocatedBytes).to.equal(said);
      }
      expect(allocated).to.equal(volume.allocatedBytes);
      expect(free).to.equal(pool.total - allocated);
    });

    it('can give `largest`, and not a byte more', async () => {
      await backend.ensure(small, signal);
      const { largest, free } = await backend.usage(signal);
      const overhead = pool.allocatedFor(largest) - largest;

      const tooBig = request('2', largest - overhead + 1);
      expect(await rejection(backend.ensure(tooBig, signal))).to.be.instanceOf(NoSpaceError);
      const volume = await backend.ensure(request('2', largest - overhead), signal);
      expect(volume.allocatedBytes).to.equal(largest);
      expect((await backend.usage(signal)).free).to.equal(free - largest);
    });

    it('says in numbers why a volume does not fit, and leaves nothing behind', async () => {
      const error = await rejection(backend.ensure(request('1', pool.total + 1), signal));
      const all = formatBytes(pool.total);

      expect(error).to.be.instanceOf(NoSpaceError);
      expect(error.message).to.include(`${all} free of ${all}`).and.include('bytes more');
      expect((await backend.usage(signal)).allocated).to.equal(0);
      expect((await backend.list(signal)).volumes).to.deep.equal([]);
    });

    it('does not give the same room to two who ask at once', async () => {
      const asks = ['1', '2', '3'].map((label) => request(label, 25 * MiB));
      const outcomes = await Promise.allSettled(asks.map((ask) => backend.ensure(ask, signal)));
      const made = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));

      expect(made).to.have.length(2);
      const { allocated } = await backend.usage(signal);
      expect(allocated).to.equal(sumBytes(made.map(({ allocatedBytes }) => allocatedBytes)));
    });

    it('keeps a namesake with another uid apart', async () => {
      const first = await backend.ensure(small, signal);
      const namesake = { ...small, volumeUid: uidOf('another') };

      for (const call of [
        () => backend.ensure(namesake, signal),
        () => backend.find(namesake, signal),
        () => backend.attach(namesake, signal),
      ]) {
        expect(await rejection(call())).to.be.instanceOf(ForeignVolumeError);
      }
      await backend.remove(namesake, 'discard', signal);
      expect((await backend.list(signal)).volumes).to.deep.equal([first]);
    });

    it('keeps path and content over a new start and a reboot', async () => {
      await backend.ensure(small, signal);
      await backend.ensure(other, signal);
      const path = await backend.attach(small, signal);
      const otherPath = await backend.attach(other, signal);
      await write(path, 'kept');
      await write(otherPath, 'other');

      expect(await pool.reopen().attach(small, signal)).to.equal(path);
      expect(await read(path, 4)).to.equal('kept');

      await pool.reboot();
      const afterwards = pool.reopen();
      // The other way round, so that devices are likely to change their numbers.
      await afterwards.attach(other, signal);
      expect(await afterwards.attach(small, signal)).to.equal(path);
      expect(await read(path, 4)).to.equal('kept');
      expect(await read(otherPath, 5)).to.equal('other');
    });

    for (const erase of ['discard', 'zero', 'none'] as const) {
      it(`gives the room back when a volume is removed (${erase}), however often`, async () => {
        await backend.ensure(small, signal);
        await backend.attach(small, signal);
        await backend.remove(small, erase, signal);
        await backend.remove(small, erase, signal);
        await pool.reopen().remove(small, erase, signal);

        expect(await backend.usage(signal)).to.deep.include({ allocated: 0, free: pool.total });
        expect(await backend.find(small, signal)).to.equal(undefined);
      });
    }

    for (const erase of ['discard', 'zero', 'none'] as const) {
      it(`never shows one volume what another has written (${erase})`, async () => {
        const { bytes: size } = await backend.ensure(small, signal);
        await write(await backend.attach(small, signal), 'secret'.repeat(MiB / 3));
        expect(await backend.remove(small, erase, signal)).to.include(formatBytes(size));

        const next = { ...small, volumeUid: uidOf('next') };
        await backend.ensure(next, signal);
        const isWaived = erase === 'none' && waived.oldBytesWithNone;
        const shown = await read(await backend.attach(next, signal), isWaived ? MiB : 4 * MiB);
        expect(shown.replaceAll('\0', '')).to.equal('');
      });
    }

    it('says that nothing was left to erase when a volume is gone already', async () => {
      await backend.ensure(small, signal);
      await backend.remove(small, 'zero', signal);

      expect(await backend.remove(small, 'zero', signal)).to.equal(undefined);
    });

    describe('adopting', () => {
      const heir = other;

      const fill = async () => {
        await backend.ensure(small, signal);
        await write(await backend.attach(small, signal), 'kept');
      };

      it('gives a volume another name and uid, however often, and keeps its data', async () => {
        await fill();
        const first = await backend.adopt(small, heir, signal);
        const again = [
          await backend.adopt(small, heir, signal),
          await pool.reopen().adopt(small, heir, signal),
        ];

        expect(again).to.deep.equal([first, first]);
        expect(first).to.include(volumeNamed('2'));
        expect(await backend.list(signal)).to.deep.equal({ volumes: [first], strays: [] });
        expect(await backend.find(small, signal)).to.equal(undefined);
        expect(await read(await backend.attach(heir, signal), 4)).to.equal('kept');
      });

      it('can give the name back that it has, with another uid', async () => {
        await fill();
        const same = { ...small, volumeUid: uidOf('another') };
        await backend.adopt(small, same, signal);

        expect(await read(await backend.attach(same, signal), 4)).to.equal('kept');
        expect(await rejection(backend.find(small, signal))).to.be.instanceOf(ForeignVolumeError);
      });

      it('keeps room and content over a reboot, and is removed like any other volume', async () => {
        await fill();
        const before = await backend.usage(signal);
        await backend.adopt(small, heir, signal);
        expect(await backend.usage(signal)).to.deep.equal({ ...before, volumes: [heir.name] });

        await pool.reboot();
        const afterwards = pool.reopen();
        expect(await read(await afterwards.attach(heir, signal), 4)).to.equal('kept');
        await afterwards.remove(heir, 'discard', signal);
        expect((await afterwards.usage(signal)).free).to.equal(pool.total);
      });

      it('leaves a new volume of the old name alone', async () => {
        await fill();
        await backend.adopt(small, heir, signal);
        const namesake = { ...small, volumeUid: uidOf('namesake') };
        await backend.ensure(namesake, signal);
        await backend.adopt(small, heir, signal);

        expect((await backend.list(signal)).volumes).to.have.length(2);
        expect(await read(await backend.attach(heir, signal), 4)).to.equal('kept');
      });

      const refused: [string, () => Promise<unknown>][] = [
        ['what is not there', () => backend.adopt({ ...small, name: 'none' }, heir, signal)],
        [
          'a namesake',
          () => backend.adopt({ ...small, volumeUid: uidOf('another') }, heir, signal),
        ],
        [
          'what is too small',
          async () => {
            const { bytes: has } = await backend.ensure(small, signal);
            await backend.adopt(small, request('2', has + 1), signal);
          },
        ],
        [
          'under a name that is taken',
          async () => {
            await backend.ensure({ ...heir, volumeUid: uidOf('its owner') }, signal);
            await backend.adopt(small, heir, signal);
          },
        ],
      ];
      for (const [what, adopt] of refused) {
        it(`refuses ${what}, and changes nothing`, async () => {
          await fill();
          expect(await rejection(adopt())).to.be.instanceOf(ForeignVolumeError);

          expect(await read(await backend.attach(small, signal), 4)).to.equal('kept');
        });
      }
    });

    it('removes no volume as a stray, and no stray that is not there', async () => {
      await backend.ensure(small, signal);

      const error = await rejection(backend.removeStray(small.name, 'discard', signal));
      expect(error).to.be.instanceOf(ForeignVolumeError);
      expect(await backend.removeStray('none', 'discard', signal)).to.equal(undefined);
      expect((await backend.list(signal)).volumes).to.have.length(1);
    });

    describe('growing', () => {
      const larger = { ...small, bytes: bytes(9 * MiB) };

      const fill = async () => {
        await backend.ensure(small, signal);
        const path = await backend.attach(small, signal);
        await write(path, 'kept');
        return path;
      };

      if (waived.growth) {
        it('has the size that was asked, says that it cannot have more, and stays as it is', async () => {
          const path = await fill();
          const before = await backend.list(signal);
          const [volume] = before.volumes;
          expect(await backend.grow(small, signal)).to.deep.equal(volume);

          const tooLarge = { ...small, bytes: bytes((volume?.bytes ?? 0) + 1) };
          const error = await rejection(backend.grow(tooLarge, signal));
          expect(error).to.be.instanceOf(NoSpaceError);
          expect(error.message).to.include('do not grow');
          expect(await backend.list(signal)).to.deep.equal(before);
          expect(await read(path, 4)).to.equal('kept');
        });
        return;
      }

      it('keeps what is in the volume, counts all of it, and may be repeated', async () => {
        const path = await fill();
        const grown = await backend.grow(larger, signal);
        const again = [
          await backend.grow(larger, signal),
          await backend.grow(small, signal),
          await pool.reopen().grow(larger, signal),
          await pool.reopen().find(small, signal),
        ];

        expect(again).to.deep.equal([grown, grown, grown, grown]);
        expect(grown.bytes).to.be.at.least(larger.bytes);
        expect(grown.allocatedBytes).to.equal(pool.allocatedFor(larger.bytes));
        const { allocated, free, volumes } = await backend.usage(signal);
        expect(allocated).to.equal(grown.allocatedBytes);
        expect(free).to.equal(pool.total - allocated);
        expect(volumes).to.deep.equal([small.name]);
        expect(await read(path, 4)).to.equal('kept');
      });

      if (!waived.openDevice) {
        it('gives the new bytes, all of them zeros, to whoever has the volume open', async () => {
          const handle = await open(await fill(), 'r+');
          try {
            const before = await sizeOf(handle);
            expect(before).to.be.at.least(small.bytes).and.below(larger.bytes);
            await backend.grow(larger, signal);

            expect(await sizeOf(handle)).to.be.at.least(larger.bytes);
            const { buffer } = await handle.read(Buffer.alloc(MiB), 0, MiB, larger.bytes - MiB);
            expect(buffer.every((byte) => byte === 0)).to.equal(true);
            await handle.write('end', larger.bytes - 3);
            await handle.sync();
          } finally {
            await handle.close();
          }
        });
      }

      it('keeps size and content over a new start and a reboot', async () => {
        await fill();
        await backend.grow(larger, signal);
        await pool.reboot();
        const path = await pool.reopen().attach(small, signal);

        expect(await read(path, 4)).to.equal('kept');
        const found = await pool.reopen().find(small, signal);
        expect(found?.bytes).to.be.at.least(larger.bytes);
        await pool.reopen().remove(small, 'discard', signal);
        expect((await pool.reopen().usage(signal)).free).to.equal(pool.total);
      });

      it('says in numbers why it does not fit, and leaves the volume as it was', async () => {
        const path = await fill();
        const before = [await backend.usage(signal), await backend.list(signal)];
        const error = await rejection(
          backend.grow({ ...small, bytes: bytes(pool.total + 1) }, signal),
        );

        expect(error).to.be.instanceOf(NoSpaceError);
        expect(error.message).to.include(formatBytes(pool.total));
        expect([await backend.usage(signal), await backend.list(signal)]).to.deep.equal(before);
        expect(await read(path, 4)).to.equal('kept');
      });

      it('does not give the same room to a volume that grows and a new one', async () => {
        await backend.ensure(small, signal);
        const outcomes = await Promise.allSettled([
          backend.grow({ ...small, bytes: bytes(40 * MiB) }, signal),
          backend.ensure(request('2', 40 * MiB), signal),
        ]);

        expect(outcomes.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
        expect((await backend.usage(signal)).allocated).to.be.at.most(pool.total);
      });

      it('grows no namesake, and makes nothing in the place of what is missing', async () => {
        const namesake = { ...larger, volumeUid: uidOf('another') };
        await fill();

        expect(await rejection(backend.grow(namesake, signal))).to.be.instanceOf(
          ForeignVolumeError,
        );
        await rejection(backend.grow(request('2', 9 * MiB), signal));
        const { volumes } = await backend.list(signal);
        expect(volumes.map(({ name, bytes }) => [name, bytes])).to.deep.equal([
          [small.name, small.bytes],
        ]);
      });
    });
  });
}

/** The size that a device shows to one who has it open. */
async function sizeOf(handle: FileHandle): Promise<number> {
  const text = await runCommand('blockdev', [
    '--getsize64',
    `/proc/${process.pid}/fd/${handle.fd}`,
  ]);
  return Number(text);
}

const deviceContent: VolumeContent = { write: writeDevice, read };

async function writeDevice(path: string, text: string): Promise<void> {
  const handle = await open(path, 'r+');
  await handle.write(text, 0);
  await handle.sync();
  await handle.close();
}

export async function read(path: string, length: number): Promise<string> {
  const handle = await open(path, 'r');
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, 0);
  await handle.close();
  return buffer.toString();
}
