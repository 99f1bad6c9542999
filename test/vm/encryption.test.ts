import { expect } from 'chai';
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { bytes, MiB } from '../../src/model/bytes.ts';
import { deviceBytesFor, headerBytes } from '../../src/model/encryption.ts';
import { describeError } from '../../src/model/errors.ts';
import type { LocalVolume } from '../../src/model/volume.ts';
import { limitedDevice } from '../../src/platform/device-number.ts';
import { deviceChains } from '../../src/platform/health/block-chain.ts';
import { numberOf } from '../../src/platform/mapped-devices.ts';
import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import { ForeignVolumeError, type StorageBackend } from '../../src/usecases/ports.ts';
import { dyingRun } from '../support/dying-run.ts';
import { loopGround, type LoopGround } from '../support/loop-pool.ts';
import { rejection } from '../support/rejection.ts';
import {
  agentWith,
  closeAll,
  encryptedVolume,
  inUse,
  openVolumes,
  readAt,
  rightKey,
  writeAt,
} from './luks-ground.ts';

const { signal } = new AbortController();
const text = 'what only the pod may read';

/** Encrypted volumes over loop devices: dm-crypt and cryptsetup are the real ones. */
describe('an encrypted volume', () => {
  let ground: LoopGround;
  let plain: StorageBackend;
  const volume = encryptedVolume('one');
  const identity = { name: volume.name, volumeUid: volume.uid };
  const { bytes: asked } = volume.spec;

  before(async () => {
    await runCommand('modprobe', ['--all', 'loop', 'dm-mod', 'dm-crypt', 'ext4']);
  });

  beforeEach(async () => {
    ground = await loopGround();
    plain = ground.open({ size: '512Mi' });
  });

  afterEach(async () => {
    await closeAll();
    await ground.cleanUp();
  });

  const image = (name = volume.name): string => join(ground.directory, `${name}.img`);
  /** Where the device of an image begins in it. */
  const imageStart = MiB;

  type Given = Parameters<typeof agentWith>[1];
  const storageOf = (one: LocalVolume, given?: Given): StorageBackend =>
    agentWith(ground.runDir, given).ofVolume(one, plain);

  async function make(one = volume, given?: Given): Promise<string> {
    const storage = storageOf(one, given);
    const { name, uid: volumeUid } = one;
    await storage.ensure({ name, volumeUid, bytes: one.spec.bytes }, signal);
    return storage.attach({ name, volumeUid }, signal);
  }

  async function reboot(): Promise<void> {
    await closeAll();
    await ground.reboot();
  }

  const header = (): Promise<Buffer> => readAt(image(), headerBytes, imageStart);

  describe('in its usual life', () => {
    it('has what was asked, with zeros at both ends, and occupies its header beside that', async () => {
      const made = await storageOf(volume).ensure({ ...identity, bytes: asked }, signal);
      const path = await make();
      const size = await runCommand('blockdev', ['--getsize64', path]);

      expect(Number(size)).to.equal(asked);
      expect(made.bytes).to.equal(asked);
      const whole = deviceBytesFor(volume.spec);
      expect(made.allocatedBytes).to.equal(ground.plan().allocatedFor(whole));
      expect(await storageOf(volume).find(identity, signal)).to.deep.equal(made);
      for (const at of [0, asked - MiB]) {
        expect((await readAt(path, MiB, at)).equals(Buffer.alloc(MiB))).to.equal(true);
      }
    });

    it('never shows on its disk what is in it', async () => {
      const path = await make();
      await writeAt(path, text, 8 * MiB);
      await runCommand('sync', []);
      const onDisk = await readFile(image());

      expect((await readAt(path, text.length, 8 * MiB)).toString()).to.equal(text);
      expect(onDisk.includes('LUKS')).to.equal(true);
      expect(onDisk.includes(text)).to.equal(false);
      expect(onDisk.includes(Buffer.from(rightKey))).to.equal(false);
    });

    it('is opened again after a reboot, under the same path and with all that was in it', async () => {
      const path = await make();
      await writeAt(path, text, 8 * MiB);
      await reboot();
      expect(await openVolumes()).to.deep.equal([]);

      expect(await storageOf(inUse(volume)).attach(identity, signal)).to.equal(path);
      expect((await readAt(path, text.length, 8 * MiB)).toString()).to.equal(text);

      const programs: string[] = [];
      const run: RunCommand = (program, args, ...rest) => {
        programs.push(program);
        return runCommand(program, args, ...rest);
      };
      const next = storageOf(inUse(volume), { run, key: undefined });
      expect(await next.attach(identity, signal)).to.equal(path);
      expect(programs, 'programs to find it open').to.deep.equal([]);
    });

    it('is known by limits and by those who look after disks', async () => {
      const path = await make();
      const { devices, isCut } = await deviceChains().below(path);

      expect(isCut).to.equal(false);
      expect(devices[0]).to.deep.include({ number: await numberOf(path), isDisk: false });
      expect(devices.map(({ name }) => name.replace(/\d+$/, ''))).to.include.members([
        ...['dm-', 'loop'],
      ]);
      expect(await limitedDevice(path)).to.equal(await numberOf(path));
    });

    it('takes a filesystem, and grows under it', async () => {
      const path = await make();
      const point = join(ground.root, 'point');
      await mkdir(point);
      await runCommand('mkfs.ext4', ['-q', path]);
      await runCommand('mount', [path, point]);
      try {
        await writeAtNew(join(point, 'file'), text);
        const larger = bytes(asked + 24 * MiB);
        const grown = await storageOf(inUse(volume)).grow({ ...identity, bytes: larger }, signal);
        await runCommand('resize2fs', [path]);

        expect(grown.bytes).to.equal(larger);
        expect(Number(await runCommand('blockdev', ['--getsize64', path]))).to.equal(larger);
        expect(await readFile(join(point, 'file'), 'utf8')).to.equal(text);
      } finally {
        await runCommand('umount', [point]);
      }
    });

    it('is not removed while it is in use, and then is', async () => {
      const path = await make();
      const handle = await open(path, 'r');
      const storage = storageOf(inUse(volume));
      try {
        const busy = await rejection(storage.remove(identity, 'discard', signal));
        expect(busy.message).to.contain('in use');
        expect(busy.name).to.not.equal('PermanentError');
      } finally {
        await handle.close();
      }

      expect(await storage.remove(identity, 'discard', signal)).to.match(/keys destroyed.*zeros/);
      expect((await rejection(open(path))).message).to.contain('ENOENT');
      expect(await openVolumes()).to.deep.equal([]);
      expect(await storage.find(identity, signal)).to.equal(undefined);
      expect(await ground.devices()).to.deep.equal([]);
    });
  });

  async function writeAtNew(path: string, content: string): Promise<void> {
    const handle = await open(path, 'w');
    await handle.writeFile(content);
    await handle.sync();
    await handle.close();
  }

  describe('whose agent is killed', () => {
    /** Making the volume, by an agent that dies before or after one of its programs. */
    async function dieAt(step: string, when: 'before' | 'after'): Promise<void> {
      let isDead = false;
      const run: RunCommand = async (program, args, ...rest) => {
        const isStep = args.includes(step);
        isDead ||= isStep && when === 'before';
        if (isDead) throw new Error('killed');
        const said = await runCommand(program, args, ...rest);
        isDead = isStep;
        if (isDead) throw new Error('killed');
        return said;
      };
      const error = await rejection(make(volume, { run, key: rightKey }));
      expect(error.message).to.equal('killed');
    }

    for (const [when, step] of [
      ['after', 'luksFormat'],
      ['after', 'open'],
      ['before', 'config'],
    ] as const) {
      it(`${when} ${step} of a new one, is made by the next one`, async () => {
        await dieAt(step, when);
        const path = await make();

        expect(Number(await runCommand('blockdev', ['--getsize64', path]))).to.equal(asked);
        expect((await readAt(path, MiB, 0)).equals(Buffer.alloc(MiB))).to.equal(true);
        const dump = await runCommand('cryptsetup', ['luksDump', await raw()]);
        expect(dump).to.contain(`berth:${volume.uid}`);
      });
    }

    it('after open of a new one, leaves nothing behind that is given up', async () => {
      await dieAt('open', 'after');
      await storageOf(volume).remove(identity, 'discard', signal);

      expect(await openVolumes()).to.deep.equal([]);
      expect(await ground.devices()).to.deep.equal([]);
      expect((await plain.list(signal)).volumes).to.deep.equal([]);
    });

    it('within luksFormat, is made by the next one', async () => {
      await dieAt('luksFormat', 'after');
      await runCommand('cryptsetup', ['luksErase', '--batch-mode', await raw()]);
      const path = await make();

      expect(Number(await runCommand('blockdev', ['--getsize64', path]))).to.equal(asked);
    });

    it('and that has data, keeps them wherever that was', async () => {
      const path = await make();
      await writeAt(path, text, 8 * MiB);
      const before = await header();
      for (const one of [volume, inUse(volume)]) {
        await reboot();
        const run: RunCommand = async (program, args, ...rest) => {
          const said = await runCommand(program, args, ...rest);
          if (args.includes('open')) throw new Error('killed');
          return said;
        };
        const storage = storageOf(one, { run, key: rightKey });
        expect((await rejection(storage.attach(identity, signal))).message).to.equal('killed');
        await storageOf(one).attach(identity, signal);
        expect((await readAt(path, text.length, 8 * MiB)).toString()).to.equal(text);
      }
      expect((await header()).equals(before)).to.equal(true);
    });

    it('while it grows has its old size or the new one, and then the new one', async () => {
      const path = await make();
      await writeAt(path, text, 8 * MiB);
      let larger = asked;
      for (let steps = 1; ; steps += 1) {
        larger = bytes(larger + 4 * MiB);
        const dying = dyingRun(steps, 'before');
        const growing = storageOf(inUse(volume), { run: dying.run, key: rightKey });
        await growing.grow({ ...identity, bytes: larger }, signal).catch(() => undefined);
        await storageOf(inUse(volume)).grow({ ...identity, bytes: larger }, signal);

        expect(Number(await runCommand('blockdev', ['--getsize64', path]))).to.equal(larger);
        expect((await readAt(path, text.length, 8 * MiB)).toString()).to.equal(text);
        if (!dying.died()) break;
      }
    });
  });

  describe('that has data is never formatted again', () => {
    let path: string;

    beforeEach(async () => {
      path = await make();
      await writeAt(path, text, 8 * MiB);
      await reboot();
    });

    async function isUntouched(before: Buffer): Promise<void> {
      expect((await header()).equals(before)).to.equal(true);
      await storageOf(inUse(volume)).attach(identity, signal);
      expect((await readAt(path, text.length, 8 * MiB)).toString()).to.equal(text);
    }

    for (const [what, one] of [
      ['in use', inUse(volume)],
      ['as it is seen before its claim has it', volume],
    ] as const) {
      it(`with another key, ${what}`, async () => {
        const before = await header();
        const error = await rejection(
          storageOf(one, { key: randomBytes(64) }).attach(identity, signal),
        );

        expect(describeError(error)).to.match(/key is not the one/);
        expect(await openVolumes()).to.deep.equal([]);
        await isUntouched(before);
      });
    }

    it('without its header', async () => {
      const before = await header();
      await writeHeader(Buffer.alloc(headerBytes));
      const error = await rejection(storageOf(inUse(volume)).attach(identity, signal));

      expect(error).to.be.instanceOf(ForeignVolumeError);
      expect((await header()).equals(Buffer.alloc(headerBytes))).to.equal(true);
      await writeHeader(before);
      await isUntouched(before);
    });

    it('with a header of another volume', async () => {
      const other = encryptedVolume('other');
      await make(other);
      await reboot();
      const before = await header();
      await writeHeader(await readAt(image(other.name), headerBytes, imageStart));
      for (const one of [volume, inUse(volume)]) {
        const error = await rejection(storageOf(one).attach(identity, signal));
        expect(error).to.be.instanceOf(ForeignVolumeError);
        expect(error.message).to.contain(other.uid);
      }
      await writeHeader(before);
      await isUntouched(before);
    });

    async function writeHeader(content: Buffer): Promise<void> {
      const handle = await open(image(), 'r+');
      await handle.write(content, 0, content.length, imageStart);
      await handle.sync();
      await handle.close();
    }
  });

  it('is not begun on a device that holds something', async () => {
    await plain.ensure({ ...identity, bytes: deviceBytesFor(volume.spec) }, signal);
    await runCommand('mkfs.ext4', ['-q', await plain.attach(identity, signal)]);
    const error = await rejection(make());

    expect(error).to.be.instanceOf(ForeignVolumeError);
    expect(error.message).to.contain('ext4');
    const found = await runCommand('blkid', ['-p', '-s', 'TYPE', '-o', 'value', await raw()]);
    expect(found.trim()).to.equal('ext4');
  });

  const raw = (): Promise<string> => plain.attach(identity, signal);

  it('is not begun without a key, and nothing is left', async () => {
    await rejection(make(volume, { key: undefined }));

    expect((await plain.list(signal)).volumes).to.deep.equal([]);
  });

  describe('that is erased', () => {
    /** The backend is stopped before it removes anything, so that the device can be looked at. */
    const halting = (): StorageBackend => ({
      ...plain,
      remove: () => Promise.reject(new Error('halted')),
    });

    it('loses its keys and its header, and needs no key for that', async () => {
      await make();
      await reboot();
      const agent = agentWith(ground.runDir, { key: undefined });
      const removing = agent.ofVolume(inUse(volume), halting()).remove(identity, 'zero', signal);
      expect((await rejection(removing)).message).to.equal('halted');

      expect((await header()).equals(Buffer.alloc(headerBytes))).to.equal(true);
      expect(await openVolumes()).to.deep.equal([]);
      expect(await storageOf(inUse(volume)).remove(identity, 'zero', signal)).to.be.a('string');
      expect((await plain.list(signal)).volumes).to.deep.equal([]);
    });

    it('has no key from the first step on, and goes on from there', async () => {
      await make();
      const run: RunCommand = async (program, args, ...rest) => {
        if (program === 'blkdiscard') throw new Error('killed');
        return runCommand(program, args, ...rest);
      };
      const storage = storageOf(inUse(volume), { run, key: rightKey });
      await rejection(storage.remove(identity, 'discard', signal));

      const dump = await runCommand('cryptsetup', ['luksDump', await raw()]);
      expect(dump).to.match(/^Keyslots:\nTokens:$/m);
      const again = await rejection(storageOf(inUse(volume)).attach(identity, signal));
      expect(again.message).to.contain('no key any more');
      expect(await storageOf(inUse(volume)).remove(identity, 'discard', signal)).to.contain('keys');
    });

    it('is also known by its header when no LocalVolume speaks of it', async () => {
      const path = await make();
      await writeAt(path, text, 8 * MiB);
      const done = await agentWith(ground.runDir)
        .ofOrphan(plain, 'device')
        .remove(identity, 'none', signal);

      expect(done).to.contain('keys destroyed');
      expect(await openVolumes()).to.deep.equal([]);
      expect((await plain.list(signal)).volumes).to.deep.equal([]);
    });
  });

  describe('that is adopted', () => {
    const heirOf = (adopts = identity, change = {}): LocalVolume =>
      encryptedVolume('heir', { adopts, ...change });

    async function adopt(heir: LocalVolume, given?: Given): Promise<string> {
      const storage = storageOf(heir, given);
      const { name, uid: volumeUid, spec } = heir;
      const to = { name, volumeUid, bytes: spec.bytes };
      await storage.adopt(spec.adopts ?? identity, to, signal);
      return storage.attach({ name, volumeUid }, signal);
    }

    it('keeps its data, and is its new owner’s from then on', async () => {
      await writeAt(await make(), text, 8 * MiB);
      const heir = heirOf();
      const path = await adopt(heir);
      expect((await readAt(path, text.length, 8 * MiB)).toString()).to.equal(text);
      await reboot();

      const own = { name: heir.name, volumeUid: heir.uid };
      expect(await storageOf(inUse(heir)).attach(own, signal)).to.equal(path);
      expect((await readAt(path, text.length, 8 * MiB)).toString()).to.equal(text);
    });

    it('is refused to who has another key, and can be adopted again', async () => {
      await writeAt(await make(), text, 8 * MiB);
      const refused = heirOf();
      await rejection(adopt(refused, { key: randomBytes(64) }));
      const next = encryptedVolume('next', {
        adopts: { name: refused.name, volumeUid: refused.uid },
      });

      expect((await readAt(await adopt(next), text.length, 8 * MiB)).toString()).to.equal(text);
    });

    it('is refused to a class without encryption', async () => {
      await make();
      const error = await rejection(adopt(heirOf(identity, { encryption: undefined })));

      expect(error.message).to.contain('encryption luks2');
      expect(error.name).to.equal('PermanentError');
    });

    it('is not made of one that is not encrypted', async () => {
      await plain.ensure({ ...identity, bytes: deviceBytesFor(volume.spec) }, signal);
      await writeAt(await raw(), text, 8 * MiB);
      const heir = heirOf();
      expect(await rejection(adopt(heir))).to.be.instanceOf(ForeignVolumeError);

      const device = await plain.attach({ name: heir.name, volumeUid: heir.uid }, signal);
      expect((await readAt(device, text.length, 8 * MiB)).toString()).to.equal(text);
    });
  });
});
