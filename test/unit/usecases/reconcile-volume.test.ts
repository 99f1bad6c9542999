import { expect } from 'chai';
import { bytes, MiB } from '../../../src/model/bytes.ts';
import { NoSpaceError, PermanentError } from '../../../src/model/errors.ts';
import type { LocalVolume, VolumeStatus } from '../../../src/model/volume.ts';
import { MachineIdentity } from '../../../src/usecases/machine-identity.ts';
import type { NodePool } from '../../../src/usecases/node-pools.ts';
import {
  ForeignVolumeError,
  PoolUnusableError,
  type StorageBackend,
} from '../../../src/usecases/ports.ts';
import { volumeReconciler } from '../../../src/usecases/reconcile-volume.ts';
import { rejection } from '../../support/rejection.ts';

const onDisk = {
  name: 'pvc-1',
  volumeUid: 'uid',
  bytes: bytes(MiB),
  allocatedBytes: bytes(2 * MiB),
};

describe('reconciling a volume', () => {
  let calls: string[];
  let written: VolumeStatus[];
  let told: string[];
  let storage: StorageBackend;
  let pool: NodePool | undefined;
  let volume: LocalVolume | undefined;
  let machine: MachineIdentity;
  let erasure: string | undefined;
  let blank: boolean;
  let mkfs: () => Promise<void>;
  let knows: () => Promise<void>;
  const { signal } = new AbortController();

  beforeEach(() => {
    calls = [];
    written = [];
    told = [];
    erasure = '1Mi overwritten with zeros';
    blank = true;
    mkfs = async () => {};
    knows = async () => {};
    const called = <T>(name: string, value: T): Promise<T> => {
      calls.push(name);
      return Promise.resolve(value);
    };
    storage = {
      usage: () => Promise.reject(new Error('not asked')),
      list: () => Promise.reject(new Error('not asked')),
      find: () => called('find', onDisk),
      ensure: () => called('ensure', onDisk),
      grow: ({ bytes }) => called(`grow ${bytes}`, onDisk),
      attach: () => called('attach', '/run/pvc-1'),
      adopt: (from) => called(`adopt ${from.name}`, onDisk),
      remove: (_, erase) => called(`remove ${erase}`, erasure),
      removeStray: () => Promise.reject(new Error('not asked')),
    };
    pool = { name: 'fast', backend: 'loop', applies: true, storage };
    volume = aVolume({});
    machine = new MachineIdentity({ list: () => (volume ? [volume] : []) });
  });

  const aVolume = (more: Partial<LocalVolume>): LocalVolume => ({
    ...{ name: 'pvc-1', uid: 'uid', resourceVersion: '1', published: false },
    ...{ deleting: false, heldByAgent: true, heldByControl: true, status: { phase: 'Pending' } },
    spec: {
      ...{ node: 'n1', pool: 'fast', bytes: bytes(MiB), volumeMode: 'Filesystem', fsType: 'ext4' },
      ...{ claimRef: { namespace: 'd', name: 'c', uid: 'u' }, erase: 'zero' },
    },
    ...more,
  });

  const ready: VolumeStatus = {
    phase: 'Ready',
    path: '/run/pvc-1',
    allocatedBytes: bytes(2 * MiB),
    bytes: bytes(MiB),
    generation: 7,
  };

  const reconcile = (): Promise<number | undefined> =>
    volumeReconciler({
      node: 'n1',
      volumes: {
        get: () => volume,
        read: async () => {
          calls.push('read');
          return volume;
        },
        list: () => [],
        setStatus: async (_, status) => void written.push(status),
        setHealth: async () => {},
        release: async () => void calls.push('release'),
      },
      pools: { get: () => pool },
      machine,
      reports: {
        generationOf: () => 7,
        nextGeneration: () => 8,
        changed: () => calls.push('changed'),
      },
      filesystems: {
        grow: async (path) => void calls.push(`fill ${path}`),
        refuseUnknown: async () => knows(),
        isBlank: async () => blank,
        blank: async (path) => void calls.push(`blank ${path}`),
        make: async (path, { fsType, options }) => {
          calls.push(`mkfs ${fsType} ${options.join(' ')} ${path}`);
          await mkfs();
        },
      },
      encryption: { ofVolume: (_, own) => own },
      events: {
        normal: (about, reason) => told.push(`${about.kind} ${reason}`),
        warning: (about, reason) => told.push(`${about.kind} ${reason}`),
      },
      log: { info: () => {}, warn: () => {}, error: () => {} },
      meter: { timed: (_, work) => work(), pools: () => {} },
      now: () => 0,
      rowOf: (key) => (work) => {
        calls.push(`row ${key}`);
        return work();
      },
      onSettled: () => calls.push('settled'),
    })('pvc-1', signal);

  const fails = (call: keyof StorageBackend, error: Error): void => {
    storage = { ...storage, [call]: () => Promise.reject(error) };
    pool = { name: 'fast', backend: 'loop', applies: true, storage };
  };

  it('makes, attaches, and says so with the report that will count it', async () => {
    await reconcile();

    expect(calls).to.deep.equal(['ensure', 'attach', 'changed', 'settled']);
    expect(written).to.deep.equal([ready]);
    expect(told).to.deep.equal(['LocalVolume VolumeCreated']);
  });

  describe('with options for mkfs', () => {
    const options = ['-m', '1'];
    const formatting = (more: Partial<LocalVolume> = {}): LocalVolume => {
      const { spec } = aVolume({});
      return aVolume({ spec: { ...spec, mkfsOptions: options }, ...more });
    };

    it('has its filesystem before anybody hears of it', async () => {
      volume = formatting();
      await reconcile();

      const made = ['ensure', 'attach', 'read', 'mkfs ext4 -m 1 /run/pvc-1'];
      expect(calls).to.deep.equal([...made, 'changed', 'settled']);
      expect(written).to.deep.equal([ready]);
    });

    it('is Failed with the words of mkfs, where people look', async () => {
      volume = formatting();
      mkfs = () => Promise.reject(new PermanentError('mkfs.ext4 refuses: no such thing'));
      await reconcile();

      expect(written).to.deep.equal([
        { phase: 'Failed', message: 'mkfs.ext4 refuses: no such thing' },
      ]);
      expect(told).to.deep.equal([
        'LocalVolume VolumeFailed',
        'PersistentVolumeClaim VolumeFailed',
      ]);
    });

    it('is tried again where something else was in the way', async () => {
      volume = formatting();
      mkfs = () => Promise.reject(new Error('in use'));

      expect((await rejection(reconcile())).message).to.equal('in use');
      expect(written).to.deep.equal([{ phase: 'Pending', message: 'in use' }]);
    });

    it('is made in no pool of directories', async () => {
      pool = { name: 'dirs', backend: 'btrfs', applies: true, gives: 'directory', storage };
      volume = formatting();
      await reconcile();

      expect(calls).to.deep.equal(['settled']);
      expect(written[0]?.message).to.include('mkfsOptions').and.include('pool dirs');
    });

    for (const phase of ['Ready', 'Lost'] as const) {
      it(`is never formatted once it was ${phase}, whatever is on it`, async () => {
        volume = formatting({ status: { ...ready, phase } });
        blank = false;
        await reconcile();

        expect(calls.filter((call) => /blank|mkfs/.test(call))).to.deep.equal([]);
      });
    }

    it('is never formatted where it adopts data, or was handed over', async () => {
      const { spec } = formatting();
      blank = false;
      volume = formatting({ spec: { ...spec, adopts: { name: 'pvc-0', volumeUid: 'old' } } });
      await reconcile();
      volume = formatting({ published: true });
      await reconcile();

      expect(calls.filter((call) => /blank|mkfs/.test(call))).to.deep.equal([]);
    });
  });

  it('shows nobody what an earlier volume has left on the device', async () => {
    blank = false;
    await reconcile();

    expect(calls).to.deep.equal([
      ...['ensure', 'attach', 'read', 'blank /run/pvc-1'],
      ...['changed', 'settled'],
    ]);
  });

  it('fails, and has written nothing, where the kernel cannot mount it', async () => {
    blank = false;
    knows = () => Promise.reject(new PermanentError('the kernel does not know xfs'));
    await reconcile();

    expect(calls).to.deep.equal(['ensure', 'attach', 'settled']);
    expect(written[0]).to.include({ phase: 'Failed', message: 'the kernel does not know xfs' });
    expect(told).to.include('PersistentVolumeClaim VolumeFailed');
  });

  it('makes no directory of what is to be a raw device', async () => {
    pool = { name: 'dirs', backend: 'directory', applies: true, gives: 'directory', storage };
    const { spec } = aVolume({});
    volume = aVolume({ spec: { ...spec, volumeMode: 'Block' } });
    await reconcile();

    expect(calls).to.deep.equal(['settled']);
    expect(written).to.have.length(1);
    expect(written[0]).to.include({ phase: 'Failed' });
    expect(written[0]?.message).to.include('volumeMode Block').and.include('pool dirs');
  });

  it('attaches a volume that was made before, and neither makes nor reports it anew', async () => {
    volume = aVolume({ status: ready });
    await reconcile();

    expect(calls).to.deep.equal(['find', 'attach', 'settled']);
    expect(written).to.deep.equal([ready]);
    expect(told).to.deep.equal([]);
  });

  describe('that has been promised more', () => {
    const grown = { ...onDisk, bytes: bytes(4 * MiB), allocatedBytes: bytes(5 * MiB) };
    const promised = (more: Partial<LocalVolume['spec']> = {}): LocalVolume => {
      const small = aVolume({ status: ready });
      return { ...small, spec: { ...small.spec, bytes: bytes(4 * MiB), ...more } };
    };

    beforeEach(() => {
      volume = promised();
      storage.grow = ({ bytes }) => {
        calls.push(`grow ${bytes / MiB}`);
        return Promise.resolve(grown);
      };
    });

    it('grows it, then its filesystem, and tells each when it is done', async () => {
      await reconcile();

      expect(calls).to.deep.equal([
        ...['find', 'attach', 'grow 4', 'changed', 'fill /run/pvc-1', 'settled'],
      ]);
      const allocated = { ...ready, allocatedBytes: grown.allocatedBytes, generation: 8 };
      expect(written).to.deep.equal([allocated, { ...allocated, bytes: grown.bytes }]);
    });

    it('touches no filesystem of a raw device', async () => {
      volume = promised({ volumeMode: 'Block' });
      await reconcile();

      expect(calls).to.not.include('fill /run/pvc-1');
      expect(written.at(-1)?.bytes).to.equal(4 * MiB);
    });

    it('goes on where the disk has grown and nobody was told', async () => {
      storage.find = () => Promise.resolve(grown);
      await reconcile();

      expect(written.at(-1)).to.include({ bytes: 4 * MiB, generation: 8 });
    });

    it('is as it was without room, says so, and is tried again', async () => {
      fails('grow', new NoSpaceError('1Mi free, 3Mi are needed'));
      const error = await rejection(reconcile());

      expect(error).to.not.be.instanceOf(PermanentError);
      expect(written).to.have.length(1);
      expect(written[0]).to.deep.include({ ...ready, message: written[0]?.message });
      expect(written[0]?.message).to.include('4Mi').and.include('3Mi are needed');
      volume = promised();
      volume = { ...volume, status: { ...ready, message: written[0]?.message } };
      await rejection(reconcile());
      expect(told).to.deep.equal([
        'LocalVolume VolumeNotExpanded',
        'PersistentVolumeClaim VolumeNotExpanded',
      ]);
    });
  });

  for (const [what, arrange] of [
    ['is gone', () => (storage.find = () => Promise.resolve(undefined))],
    ['is another', () => fails('find', new ForeignVolumeError('pvc-2 is in it'))],
  ] as const) {
    it(`calls a volume lost whose image ${what}, and never makes it anew`, async () => {
      volume = aVolume({ status: ready });
      arrange();
      expect(await reconcile()).to.equal(60_000);

      expect(calls).to.not.include('ensure');
      expect(written[0]).to.include({ phase: 'Lost', path: '/run/pvc-1', generation: 7 });
      expect(told).to.deep.equal(['LocalVolume VolumeLost', 'PersistentVolumeClaim VolumeLost']);

      volume = aVolume({ status: written[0] ?? ready });
      await reconcile();
      expect(written).to.have.length(1);
    });
  }

  describe('on a machine that has replaced the one it was made on', () => {
    beforeEach(() => {
      volume = aVolume({ status: ready });
      machine.compare('new', 'old');
    });

    it('calls it lost for that reason where it is not there, and says so once', async () => {
      storage.find = () => Promise.resolve(undefined);
      await reconcile();

      expect(written).to.have.length(1);
      expect(written[0]?.message).to.equal(
        'LOST: the volume was made on node n1 in pool fast, and the machine of the node was ' +
          'replaced (machine id old before, new now): it is not on the disks of this one. ' +
          'Nothing is made in its place; it is Ready again as soon as it is back.',
      );
      expect(calls).to.not.include('ensure');

      volume = aVolume({ status: written[0] ?? ready });
      await reconcile();
      machine = new MachineIdentity({ list: () => [] });
      machine.compare('new', 'new');
      await reconcile();
      expect(written).to.have.length(1);
    });

    it('goes on with it where its disk has survived', async () => {
      await reconcile();

      expect(written).to.deep.equal([ready]);
      expect(machine.lossOf('uid')).to.equal(undefined);
    });
  });

  it('says again that a volume is missing after its pool could not be read', async () => {
    volume = aVolume({ status: { ...ready, phase: 'Lost', message: 'loop.directory is "/x"' } });
    storage.find = () => Promise.resolve(undefined);
    await reconcile();

    expect(written[0]?.message).to.contain('and it is no longer there');
  });

  it('takes a lost volume back when it is there again', async () => {
    volume = aVolume({ status: { ...ready, phase: 'Lost', message: 'LOST' } });
    await reconcile();

    expect(written).to.deep.equal([ready]);
    expect(told).to.deep.equal(['LocalVolume VolumeFound']);
  });

  for (const error of [new NoSpaceError('full'), new ForeignVolumeError('another')]) {
    it(`gives up a volume that cannot be made: ${error.name}`, async () => {
      fails('ensure', error);
      await reconcile();

      expect(written).to.deep.equal([{ phase: 'Failed', message: error.message }]);
      expect(told).to.include('PersistentVolumeClaim VolumeFailed');

      volume = aVolume({ status: { phase: 'Failed' } });
      await reconcile();
      expect(written).to.have.length(1);
    });
  }

  it('shows a failure that may pass, once, and leaves the next try to the queue', async () => {
    fails('attach', new Error('no device'));
    expect(await rejection(reconcile())).to.not.be.instanceOf(PermanentError);
    expect(written).to.deep.equal([{ phase: 'Pending', message: 'no device' }]);

    volume = aVolume({ status: { phase: 'Pending', message: 'no device' } });
    await rejection(reconcile());
    expect(written).to.have.length(1);
  });

  it('keeps a volume Ready whose pool cannot be read now', async () => {
    volume = aVolume({ status: ready });
    fails('find', new PermanentError('loop.directory is "/x"'));
    await rejection(reconcile());

    expect(written).to.deep.equal([{ ...ready, message: 'loop.directory is "/x"' }]);
  });

  it('makes nothing in a pool that is not there or no longer applies', async () => {
    pool = undefined;
    await reconcile();
    pool = { name: 'fast', backend: 'loop', applies: false, storage, problem: 'not selected' };
    await reconcile();

    expect(calls).to.deep.equal(['settled', 'settled']);
    expect(written.map(({ message }) => message)).to.deep.equal([
      'pool fast is not on node n1',
      'not selected',
    ]);
  });

  it('attaches what is in a pool that no longer applies', async () => {
    volume = aVolume({ status: ready });
    pool = { name: 'fast', backend: 'loop', applies: false, storage, problem: 'not selected' };
    await reconcile();

    expect(calls).to.deep.equal(['find', 'attach', 'settled']);
  });

  describe('that is marked deleted', () => {
    const deleting = { deleting: true, heldByControl: false, status: ready, published: true };

    it('touches nothing while control holds it', async () => {
      volume = aVolume({ ...deleting, heldByControl: true });
      await reconcile();

      expect(calls).to.deep.equal(['settled']);
    });

    it('erases and removes it, and lets go only then', async () => {
      volume = aVolume(deleting);
      await reconcile();

      expect(calls).to.deep.equal(['remove zero', 'release', 'changed', 'settled']);
    });

    const at = '1970-01-01T00:00:00.000Z';

    it('writes down how it was erased, before it lets go', async () => {
      volume = aVolume(deleting);
      await reconcile();

      const erased = { policy: 'zero', at, result: '1Mi overwritten with zeros' };
      expect(written).to.deep.equal([{ ...ready, erased }]);
      expect(told).to.deep.equal(['LocalVolume VolumeErased']);
    });

    it('writes no zeros over what no pod has ever seen', async () => {
      volume = aVolume({ ...deleting, published: false });
      await reconcile();

      expect(calls).to.include('remove none');
      expect(written[0]?.erased?.policy).to.equal('none');
      expect(written[0]?.erased?.result).to.include('no pod has ever seen the volume');
    });

    it('keeps what an earlier try has written down, and lets go', async () => {
      const erased = { policy: 'zero', at, result: 'punched' } as const;
      volume = aVolume({ ...deleting, status: { ...ready, erased } });
      erasure = undefined;
      await reconcile();

      expect(written).to.deep.equal([]);
      expect(calls).to.include('release');
    });

    it('says that nothing was left of a volume that had vanished', async () => {
      volume = aVolume({ ...deleting, status: { ...ready, phase: 'Lost' } });
      erasure = undefined;
      await reconcile();

      expect(written[0]?.erased?.result).to.include('nothing of it was found');
    });

    const adopts = { name: 'pvc-0', volumeUid: 'old' };

    it('keeps adopted data that was never handed to the claim', async () => {
      volume = aVolume({ ...deleting, published: false, spec: { ...aVolume({}).spec, adopts } });
      await reconcile();

      expect(calls).to.deep.equal(['release', 'changed', 'settled']);
      expect(written).to.deep.equal([]);
      expect(told).to.include('PersistentVolumeClaim AdoptionGivenUp');
    });

    it('erases adopted data that the claim has had', async () => {
      volume = aVolume({ ...deleting, spec: { ...aVolume({}).spec, adopts } });
      await reconcile();

      expect(calls).to.deep.equal(['remove zero', 'release', 'changed', 'settled']);
    });

    it('does not let go of what could not be removed', async () => {
      volume = aVolume(deleting);
      fails('remove', new Error('it is mounted'));
      await rejection(reconcile());

      expect(calls).to.deep.equal(['settled']);
      expect(written).to.deep.equal([{ ...ready, message: 'it is mounted' }]);
      expect(told).to.deep.equal([]);
    });

    it('tells people only what still stands in the way at the second try', async () => {
      volume = aVolume({ ...deleting, status: { ...ready, message: 'it is mounted' } });
      fails('remove', new Error('it is mounted'));
      await rejection(reconcile());

      expect(written).to.deep.equal([]);
      expect(told).to.include('LocalVolume VolumeNotRemoved');
    });

    it('does not let go of data in a pool that nobody can open', async () => {
      volume = aVolume(deleting);
      pool = undefined;
      expect(await rejection(reconcile())).to.be.instanceOf(PermanentError);

      expect(calls).to.deep.equal(['settled']);
    });

    for (const phase of ['Failed', 'Ready'] as const) {
      const how = phase === 'Failed' ? 'lets go of' : 'keeps';
      it(`${how} what is ${phase} in a pool that cannot be used`, async () => {
        volume = aVolume({ ...deleting, status: { phase } });
        fails('remove', new PoolUnusableError('loop.directory is "/x"'));
        await reconcile().catch(() => undefined);

        expect(calls.includes('release')).to.equal(phase === 'Failed');
      });
    }

    it('lets go of what was never made', async () => {
      volume = aVolume({ ...deleting, status: { phase: 'Failed' } });
      pool = undefined;
      await reconcile();

      expect(calls).to.include('release');
      expect(written).to.deep.equal([]);
    });
  });

  describe('that adopts', () => {
    const adopting = (more: Partial<LocalVolume> = {}): LocalVolume => {
      const { spec } = aVolume({});
      return aVolume({ spec: { ...spec, adopts: { name: 'pvc-0', volumeUid: 'old' } }, ...more });
    };

    it('makes nothing new, and waits for whoever purges the same thing', async () => {
      volume = adopting();
      await reconcile();

      expect(calls).to.deep.equal([
        ...['row fast/pvc-0', 'adopt pvc-0', 'attach', 'changed', 'settled'],
      ]);
      expect(written).to.deep.equal([ready]);
    });

    it('looks for its own name once it was Ready', async () => {
      volume = adopting({ status: ready });
      await reconcile();

      expect(calls).to.deep.equal(['find', 'attach', 'settled']);
    });

    it('is Failed, and makes nothing, when there is nothing to adopt', async () => {
      volume = adopting();
      fails('adopt', new ForeignVolumeError('it is not there'));
      await reconcile();

      expect(written).to.deep.equal([{ phase: 'Failed', message: 'it is not there' }]);
      expect(calls).to.not.include('ensure');
    });

    it('is never led out of its pool by a name', async () => {
      volume = adopting();
      const adopts = { name: '../../etc/passwd', volumeUid: 'old' };
      volume = { ...volume, spec: { ...volume.spec, adopts } };
      await reconcile();

      expect(written[0]?.phase).to.equal('Failed');
      expect(calls).to.deep.equal(['settled']);
    });
  });

  it('has nothing to do for a volume that is gone', async () => {
    volume = undefined;
    await reconcile();

    expect(calls).to.deep.equal(['settled']);
  });
});
