import { expect } from 'chai';
import { bytes, MiB } from '../../../src/model/bytes.ts';
import type { LocalVolume, VolumeIdentity } from '../../../src/model/volume.ts';
import type { OrphanStanding, PurgeRequest } from '../../../src/usecases/node-ports.ts';
import {
  ForeignVolumeError,
  PoolUnusableError,
  type StorageBackend,
  type Stray,
} from '../../../src/usecases/ports.ts';
import { orphanPurger } from '../../../src/usecases/purge-orphans.ts';
import { PermanentError } from '../../../src/model/errors.ts';
import { aClaim, aVolume } from '../../support/facts.ts';
import { silentLog } from '../../support/fake-cluster.ts';
import { rejection } from '../../support/rejection.ts';

const key = 'fast/pvc-1';
const request: PurgeRequest = {
  ...{ pool: 'fast', name: 'pvc-1', volumeUid: 'uid', erase: 'zero' },
  ...{ reason: 'its node came back', requestedAt: 'today' },
};
const orphan: OrphanStanding = {
  ...{ pool: 'fast', name: 'pvc-1', bytes: bytes(MiB), reason: 'nobody asks', volumeUid: 'uid' },
  ...{ since: 'monday', removedAt: 'sunday' },
};

describe('purging what nobody asks for', () => {
  let asked: PurgeRequest | undefined;
  let known: OrphanStanding | undefined;
  let owner: LocalVolume | undefined;
  let waitMs: number | undefined;
  let strays: Stray[];
  let calls: string[];
  let told: string[];
  let fails: Error | undefined;
  let isOpen: boolean;
  const { signal } = new AbortController();

  beforeEach(() => {
    [asked, known, owner, fails] = [undefined, undefined, undefined, undefined];
    [strays, calls, told] = [[], [], []];
    waitMs = 0;
    isOpen = true;
  });

  const called = async (what: string) => {
    calls.push(what);
    if (fails) {
      throw fails;
    }
    return '1Mi overwritten with zeros';
  };
  const storage = {
    list: async () => ({ volumes: [], strays }),
    remove: ({ name, volumeUid }: VolumeIdentity, erase: string) =>
      called(`remove ${name} ${volumeUid} ${erase}`),
    removeStray: (name: string, erase: string) => called(`removeStray ${name} ${erase}`),
  } as unknown as StorageBackend;

  const tell = (_: unknown, reason: string, text: string) => told.push(`${reason} ${text}`);
  const purge = () =>
    orphanPurger({
      pools: {
        get: (name) => ({
          ...{ name, backend: 'loop', applies: true },
          ...(isOpen && { storage }),
        }),
      },
      requests: {
        get: () => asked,
        list: () => [],
        done: async () => void calls.push('done'),
      },
      orphans: { get: () => known },
      clock: { waitMs: () => waitMs },
      owners: {
        find: async (identities) => {
          const uids = identities.map(({ name, volumeUid }) => `${name}:${volumeUid}`);
          calls.push(`owner of ${uids.join(' ')}`);
          return owner;
        },
      },
      encryption: { ofOrphan: (own) => own },
      rowOf: (row) => (work) => {
        calls.push(`row ${row}`);
        return work();
      },
      about: () => ({ apiVersion: 'v1', kind: 'StorageNode', name: 'n1' }),
      events: { normal: tell, warning: tell },
      log: silentLog,
      meter: { timed: (_, work) => work() },
      changed: () => calls.push('changed'),
    })(key, signal);

  it('does what was asked, after a live look for owners and in its turn', async () => {
    asked = request;
    await purge();

    expect(calls).to.deep.equal([
      ...['row fast/pvc-1', 'owner of pvc-1:uid', 'remove pvc-1 uid zero', 'changed', 'done'],
    ]);
    expect(told[0]).to.include('OrphanPurged').and.include('its node came back');
  });

  it('refuses what a LocalVolume asks for, and takes the request away', async () => {
    asked = request;
    owner = aVolume(aClaim('data', MiB), 'n2');
    await purge();

    expect(calls).to.deep.equal(['row fast/pvc-1', 'owner of pvc-1:uid', 'done']);
    expect(told[0]).to.include('PurgeRefused').and.include('claim shop/data) of node n2');
  });

  it('waits for the end of a LocalVolume that is being removed', async () => {
    asked = request;
    owner = aVolume(aClaim('data', MiB), 'n1', { deleting: true });
    const error = await rejection(purge());

    expect(error.message).to.include('still being removed');
    expect(calls).to.not.include('done');
  });

  it('removes a stray by its name, when it is nobody’s under the name it says either', async () => {
    asked = { ...request, volumeUid: undefined };
    strays = [
      {
        ...{ name: 'pvc-1', bytes: bytes(1), reason: 'renamed' },
        says: { name: 'pvc-2', volumeUid: 'two' },
      },
    ];
    await purge();

    expect(calls).to.include('owner of pvc-1: pvc-2:two').and.include('removeStray pvc-1 zero');
  });

  it('is never led out of its pool by a name', async () => {
    asked = { ...request, name: '../../etc/passwd', volumeUid: undefined };
    await purge();

    expect(calls).to.deep.equal(['done']);
    expect(told[0]).to.include('PurgeRefused');
  });

  it('refuses what turns out to be something else', async () => {
    asked = request;
    fails = new ForeignVolumeError('it has no Berth header');
    await purge();

    expect(calls).to.include('done');
    expect(told[0]).to.include('PurgeRefused').and.include('no Berth header');
  });

  for (const error of [new Error('it is mounted'), new PoolUnusableError('loop.directory')]) {
    it(`keeps the request, says why and tries again: ${error.name}`, async () => {
      asked = request;
      fails = error;
      const thrown = await rejection(purge());

      expect(thrown).to.not.be.instanceOf(PermanentError);
      expect(calls).to.not.include('done');
      expect(told[0]).to.include('OrphanNotRemoved').and.include(error.message);
    });
  }

  it('keeps the request while its pool is not open', async () => {
    asked = request;
    isOpen = false;

    expect((await rejection(purge())).message).to.include('pool fast is not open');
    expect(calls).to.deep.equal([]);
  });

  it('removes by itself what was kept long enough, discarded', async () => {
    known = orphan;
    expect(await purge()).to.equal(undefined);

    expect(calls).to.include('remove pvc-1 uid discard');
    expect(told[0]).to.include('nobody has asked for it since monday');
  });

  it('looks again when the time is up, at the latest in a day', async () => {
    known = orphan;
    waitMs = 5_000;
    expect(await purge()).to.equal(5_000);
    waitMs = 7 * 86_400_000;
    expect(await purge()).to.equal(86_400_000);
    expect(calls).to.deep.equal([]);
  });

  it('keeps what somebody owns after all, and says so', async () => {
    known = orphan;
    owner = aVolume(aClaim('data', MiB), 'n2');

    expect(await purge()).to.equal(3_600_000);
    expect(calls).to.not.include('remove pvc-1 uid discard');
    expect(told[0]).to.include('OrphanKept');
  });

  it('never removes a stray by itself, nor what has no date', async () => {
    known = { ...orphan, volumeUid: undefined };
    await purge();
    known = orphan;
    waitMs = undefined;
    await purge();

    expect(calls).to.deep.equal([]);
  });
});
