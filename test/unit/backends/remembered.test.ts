import { expect } from 'chai';
import { remembered } from '../../../src/backends/shared/remembered.ts';
import { bytes } from '../../../src/model/bytes.ts';
import type { PoolUsage, StorageBackend } from '../../../src/usecases/ports.ts';
import { rejection } from '../../support/rejection.ts';

describe('a pool that is remembered', () => {
  const signal = new AbortController().signal;
  const minute = 60_000;
  let signs: string | undefined;
  let time: number;
  let looks: string[];
  let usage: () => Promise<PoolUsage>;
  let pool: StorageBackend;

  const aUsage = (free: number, more: Partial<PoolUsage> = {}): PoolUsage => ({
    ...{ total: bytes(100), allocated: bytes(0), free: bytes(free), largest: bytes(free) },
    ...{ volumes: [], ...more },
  });

  beforeEach(() => {
    signs = 'first';
    time = 0;
    looks = [];
    usage = async () => aUsage(looks.length);
    const acts = async (): Promise<never> => {
      throw new Error('it failed half way');
    };
    const storage: StorageBackend = {
      usage: () => (looks.push('usage'), usage()),
      list: async () => (looks.push('list'), { volumes: [], strays: [] }),
      find: async () => (looks.push('find'), undefined),
      ...{ ensure: acts, grow: acts, adopt: acts, attach: acts, remove: acts, removeStray: acts },
    };
    const readSigns = async (): Promise<string> => {
      if (signs === undefined) {
        throw new Error('it is not there');
      }
      return signs;
    };
    pool = remembered(storage, { signs: readSigns, now: () => time });
  });

  const look = async (): Promise<number> => {
    await pool.list(signal);
    return (await pool.usage(signal)).free;
  };

  it('is looked at once while nothing changes', async () => {
    expect(await look()).to.equal(await look());
    expect(looks).to.deep.equal(['list', 'usage']);
  });

  it('is looked at again when a sign changes', async () => {
    const before = await look();
    signs = 'second';

    expect(await look()).to.be.greaterThan(before);
  });

  it('is looked at again after a while, sooner where a disk was refused', async () => {
    await look();
    time += 11 * minute;
    await look();
    expect(looks).to.have.lengthOf(4);

    const disks = [{ id: 'a', bytes: bytes(1), state: 'refused' as const }];
    usage = async () => aUsage(1, { disks });
    signs = 'second';
    await pool.usage(signal);
    time += 3 * minute;
    looks = [];
    await pool.usage(signal);
    expect(looks).to.deep.equal(['usage']);
  });

  it('asks for a volume each time', async () => {
    await pool.find({ name: 'a', volumeUid: 'u' }, signal);
    await pool.find({ name: 'a', volumeUid: 'u' }, signal);

    expect(looks).to.deep.equal(['find', 'find']);
  });

  const identity = { name: 'a', volumeUid: 'u' };
  const request = { ...identity, bytes: bytes(1) };
  const acts: Readonly<Record<string, () => Promise<unknown>>> = {
    ensure: () => pool.ensure(request, signal),
    grow: () => pool.grow(request, signal),
    adopt: () => pool.adopt(identity, request, signal),
    attach: () => pool.attach(identity, signal),
    remove: () => pool.remove(identity, 'none', signal),
    removeStray: () => pool.removeStray('a', 'none', signal),
  };
  for (const [name, act] of Object.entries(acts)) {
    it(`is looked at again after ${name}, even a failed one`, async () => {
      const before = await look();
      await rejection(act());

      expect(await look()).to.be.greaterThan(before);
    });
  }

  it('forgets what was seen while something was done', async () => {
    let seen = (_: PoolUsage): void => {};
    usage = () => new Promise((resolve) => (seen = resolve));
    const early = pool.usage(signal);
    while (looks.length === 0) {
      await Promise.resolve();
    }
    await rejection(pool.attach(identity, signal));
    seen(aUsage(7));
    await early;
    usage = async () => aUsage(8);

    expect((await pool.usage(signal)).free).to.equal(8);
  });

  it('is looked at each time where there are no signs', async () => {
    signs = undefined;
    const before = await look();

    expect(await look()).to.be.greaterThan(before);
  });

  it('does not take a failure for an answer', async () => {
    usage = async () => {
      throw new Error('the disk is silent');
    };
    await rejection(pool.usage(signal));
    usage = async () => aUsage(5);

    expect((await pool.usage(signal)).free).to.equal(5);
  });
});
