import { expect } from 'chai';
import { bytes, MiB } from '../../../src/model/bytes.ts';
import { NoSpaceError, PermanentError } from '../../../src/model/errors.ts';
import type { LocalVolume, VolumeSpec } from '../../../src/model/volume.ts';
import { encryptedStorage } from '../../../src/usecases/encrypt-volume.ts';
import type { Luks, LuksHeader } from '../../../src/usecases/encryption-ports.ts';
import { ForeignVolumeError, type StorageBackend } from '../../../src/usecases/ports.ts';
import { wayToOpen } from '../../../src/usecases/way-to-open.ts';
import { rejection } from '../../support/rejection.ts';

const { signal } = new AbortController();
const identity = { name: 'pvc-1', volumeUid: 'uid' };
const at = { ...identity, device: '/dev/loop7' };
const own = { owner: identity, partial: false, keys: 1 };
const other = { ...own, owner: { name: 'pvc-0', volumeUid: 'old' } };

describe('the way to open an encrypted volume', () => {
  const isNew = { isNew: true };
  const made = { isNew: false };
  const adopting = { isNew: true, adopts: { name: 'pvc-0', volumeUid: 'old' } };
  const cases: [string, LuksHeader | undefined, Parameters<typeof wayToOpen>[2], string][] = [
    ['no header, new', undefined, isNew, 'format'],
    ['no header, made', undefined, made, 'no LUKS header'],
    ['no header, adopting', undefined, adopting, 'no LUKS header'],
    ['half made, new', { ...own, partial: true }, isNew, 'format'],
    ['half made without a key, new', { ...own, partial: true, keys: 0 }, isNew, 'format'],
    ['half made, made', { ...own, partial: true }, made, 'never finished'],
    ['half made, adopting', { ...own, partial: true }, adopting, 'never finished'],
    ['half made of another, new', { ...other, partial: true }, isNew, 'never finished'],
    ['whole, new', own, isNew, 'open'],
    ['whole, made', own, made, 'open'],
    ['whole, adopted before', own, adopting, 'open'],
    ['erased, new', { ...own, keys: 0 }, isNew, 'no key'],
    ['erased, made', { ...own, keys: 0 }, made, 'no key'],
    ['of another, new', other, isNew, 'pvc-0'],
    ['of another, made', other, made, 'pvc-0'],
    ['of another, made by adoption', other, { ...adopting, isNew: false }, 'pvc-0'],
    ['of another, adopting', other, adopting, 'rename'],
    ['of nobody, new', { partial: false, keys: 1 }, isNew, 'something else'],
    ['of nobody, adopting', { partial: false, keys: 1 }, adopting, 'something else'],
  ];
  for (const [what, header, volume, way] of cases) {
    it(`${what}: ${way}`, () => {
      const found = (): string => {
        try {
          return wayToOpen(header, at, volume);
        } catch (error) {
          expect(error).to.be.instanceOf(ForeignVolumeError);
          return (error as Error).message;
        }
      };

      expect(found()).to.include(way);
    });
  }
});

describe('storage with encryption', () => {
  const encryption = { type: 'luks2', keyFile: 'class' } as const;
  let calls: string[];
  let header: LuksHeader | undefined;
  let isOpen: boolean;
  let keyProblem: Error | undefined;
  let destroyed: string | undefined;
  let storage: StorageBackend;

  const device = { ...identity, bytes: bytes(116 * MiB), allocatedBytes: bytes(117 * MiB) };
  const called = <T>(name: string, value: T): Promise<T> => {
    calls.push(name);
    return Promise.resolve(value);
  };

  beforeEach(() => {
    calls = [];
    header = undefined;
    isOpen = false;
    keyProblem = undefined;
    destroyed = 'keys destroyed';
    storage = {
      usage: () => Promise.reject(new Error('not asked')),
      list: () => Promise.reject(new Error('not asked')),
      find: () => called('find', device),
      ensure: ({ bytes }) => called(`ensure ${bytes / MiB}`, device),
      grow: ({ bytes }) => called(`grow ${bytes / MiB}`, device),
      attach: () => called('attach', '/dev/loop7'),
      adopt: (from, { bytes }) => called(`adopt ${from.name} ${bytes / MiB}`, device),
      remove: (_, erase) => called(`remove ${erase}`, 'gone'),
      removeStray: (name, erase) => called(`removeStray ${name} ${erase}`, 'gone'),
    };
  });

  const luks: Luks = {
    check: () => called('check', undefined),
    look: () => called('look', header),
    isOpen: () => called('isOpen', isOpen),
    format: () => called('format', undefined),
    open: () => called('open', undefined),
    rename: () => called('rename', undefined),
    link: (name) => called('link', `/run/${name}.crypt`),
    follow: async (_, size, key) => {
      await key();
      await called(`follow ${size / MiB}`, undefined);
    },
    close: (name) => called(`close ${name}`, undefined),
    destroyKeys: (_, erase) => called(`destroy ${erase}`, destroyed),
  };
  const layer = encryptedStorage({
    luks,
    keys: {
      read: () => {
        calls.push('key');
        return keyProblem ? Promise.reject(keyProblem) : Promise.resolve(new Uint8Array(32));
      },
    },
  });

  const aVolume = (spec: Partial<VolumeSpec> = {}, phase: 'Pending' | 'Ready' = 'Pending') =>
    ({
      ...{ name: 'pvc-1', uid: 'uid', published: phase === 'Ready', status: { phase } },
      spec: { bytes: bytes(100 * MiB), encryption, ...spec },
    }) as LocalVolume;
  const of = (volume: LocalVolume): StorageBackend => layer.ofVolume(volume, storage);

  it('is the backend itself for a volume that is not encrypted', () => {
    expect(of(aVolume({ encryption: undefined }))).to.equal(storage);
  });

  it('makes a device with room for the header, and formats it once', async () => {
    const encrypted = of(aVolume());
    const made = await encrypted.ensure({ ...identity, bytes: bytes(100 * MiB) }, signal);

    expect(made).to.deep.equal({ ...device, bytes: 100 * MiB });
    expect(await encrypted.attach(identity, signal)).to.equal('/run/pvc-1.crypt');
    expect(calls).to.deep.equal([
      ...['check', 'key', 'ensure 116', 'attach', 'look', 'format', 'link'],
    ]);
  });

  it('makes nothing where there is no key', async () => {
    keyProblem = new PermanentError('Secret x does not exist');
    const error = await rejection(of(aVolume()).ensure({ ...identity, bytes: bytes(1) }, signal));

    expect(error).to.equal(keyProblem);
    expect(calls).to.deep.equal(['check', 'key']);
  });

  it('looks neither for key nor header where the volume is open', async () => {
    isOpen = true;
    await of(aVolume({}, 'Ready')).attach(identity, signal);

    expect(calls).to.deep.equal(['attach', 'isOpen', 'link']);
  });

  it('opens what was made before, and waits for a key that is missing', async () => {
    header = own;
    await of(aVolume({}, 'Ready')).attach(identity, signal);
    expect(calls).to.include('open').and.not.include('format');

    keyProblem = new PermanentError('Secret x does not exist');
    const error = await rejection(of(aVolume({}, 'Ready')).attach(identity, signal));
    expect(error).to.not.be.instanceOf(PermanentError);
    expect(error.cause).to.equal(keyProblem);
  });

  it('says at once that what was made before is not there', async () => {
    const error = await rejection(of(aVolume({}, 'Ready')).attach(identity, signal));

    expect(error).to.be.instanceOf(ForeignVolumeError);
    expect(calls).to.not.include('format').and.not.include('key');
  });

  it('grows the device, and then what is open', async () => {
    const grown = await of(aVolume({}, 'Ready')).grow(
      { ...identity, bytes: bytes(100 * MiB) },
      signal,
    );

    expect(grown.bytes).to.equal(100 * MiB);
    expect(calls).to.deep.equal(['grow 116', 'key', 'follow 100']);
  });

  it('leaves what has no keys any more as it is', async () => {
    const result = await of(aVolume({}, 'Ready')).remove(identity, 'zero', signal);

    expect(result).to.equal('keys destroyed; gone');
    expect(calls).to.deep.equal([
      ...['close pvc-1', 'find', 'attach', 'destroy zero', 'remove none'],
    ]);
  });

  it('erases as asked where there was no header', async () => {
    destroyed = undefined;

    expect(await of(aVolume({}, 'Ready')).remove(identity, 'zero', signal)).to.equal('gone');
    expect(calls).to.include('remove zero');
  });

  it('erases an orphan as asked, after its keys: only its header says that it is encrypted', async () => {
    const result = await layer.ofOrphan(storage, 'device').remove(identity, 'zero', signal);

    expect(result).to.equal('keys destroyed; gone');
    expect(calls).to.include('destroy zero').and.include('remove zero');
  });

  it('leaves a namesake to the backend', async () => {
    storage = { ...storage, find: () => Promise.reject(new ForeignVolumeError('not it')) };
    await layer.ofOrphan(storage, 'device').remove(identity, 'none', signal);

    expect(calls).to.deep.equal(['close pvc-1', 'remove none']);
  });

  it('closes a stray before it goes, and asks nothing of directories', async () => {
    await layer.ofOrphan(storage, 'device').removeStray('pvc-9', 'none', signal);

    expect(calls).to.deep.equal(['close pvc-9', 'removeStray pvc-9 none']);
    expect(layer.ofOrphan(storage, 'directory')).to.equal(storage);
  });

  const adopts = { name: 'pvc-0', volumeUid: 'old' };
  const adopt = (volume: LocalVolume) =>
    of(volume).adopt(adopts, { ...identity, bytes: bytes(100 * MiB) }, signal);

  it('adopts what was open under another name, and gives it the new one', async () => {
    header = other;
    const volume = aVolume({ adopts });

    expect((await adopt(volume)).bytes).to.equal(100 * MiB);
    await of(volume).attach(identity, signal);
    expect(calls).to.deep.equal([
      ...['check', 'key', 'close pvc-0', 'adopt pvc-0 116'],
      ...['attach', 'look', 'key', 'open', 'rename', 'link'],
    ]);
  });

  it('hands nothing encrypted to a class without encryption', async () => {
    header = other;
    const volume = aVolume({ adopts, encryption: undefined });
    await adopt(volume);
    const error = await rejection(of(volume).attach(identity, signal));

    expect(error).to.be.instanceOf(PermanentError);
    expect(error.message).to.contain('encryption luks2');
    header = undefined;
    expect(await of(volume).attach(identity, signal)).to.equal('/dev/loop7');
  });

  it('passes on what a backend refuses', async () => {
    const full = new NoSpaceError('full');
    storage = { ...storage, grow: () => Promise.reject(full) };

    const growing = of(aVolume({}, 'Ready')).grow({ ...identity, bytes: bytes(1) }, signal);
    expect(await rejection(growing)).to.equal(full);
  });
});
