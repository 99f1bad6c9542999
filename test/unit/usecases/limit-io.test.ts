import { expect } from 'chai';
import type { IoLimits } from '../../../src/model/io-limits.ts';
import type { IoLimitsStanding, LocalVolume } from '../../../src/model/volume.ts';
import { everyPod, IoLimiter } from '../../../src/usecases/limit-io.ts';
import { aClaim, aVolume } from '../../support/facts.ts';
import { rejection } from '../../support/rejection.ts';

describe('IoLimiter', () => {
  let volumes: LocalVolume[];
  let mounted: Record<string, string[]>;
  let devices: Record<string, string>;
  let limits: Record<string, Record<string, IoLimits>>;
  let shown: Record<string, IoLimitsStanding | undefined>;
  let told: string[];
  let counted: [number, number];
  let noCgroup: Set<string>;
  let listening: Map<string, () => void>;
  let watches: number;
  let kubeletIsThere: boolean;
  let clock: number;
  let queue: string[];
  let limiter: IoLimiter;

  beforeEach(() => {
    volumes = [volume('slow', { readIops: 20 }), volume('free', undefined)];
    mounted = { p1: ['pvc-uid-slow', 'pvc-uid-free', 'pvc-of-somebody'], p2: ['pvc-uid-free'] };
    devices = { '/run/slow': '7:1', '/run/free': '7:2', '/run/other': '7:3' };
    [limits, shown, told, counted] = [{}, {}, [], [0, 0]];
    noCgroup = new Set();
    listening = new Map();
    [watches, kubeletIsThere] = [0, true];
    [clock, queue] = [0, []];
    limiter = new IoLimiter({
      node: 'n1',
      volumes: { list: () => volumes, get: (name) => volumes.find((one) => one.name === name) },
      pods: {
        pods: async () => {
          if (!kubeletIsThere) {
            throw new Error('no folder of kubelet');
          }
          return Object.keys(mounted);
        },
        volumesOf: async (pod) => mounted[pod] ?? [],
        watch: async (_onChange, signal) => {
          watches += 1;
          signal.addEventListener('abort', () => (watches -= 1));
        },
      },
      throttle: {
        limit: async (pod, wanted, onContainers) => {
          if (noCgroup.has(pod)) {
            throw new Error(`${pod} has no cgroup`);
          }
          limits[pod] = Object.fromEntries(wanted);
          listening.set(pod, onContainers);
        },
        forget: (pod) => void listening.delete(pod),
      },
      deviceOf: async (path) => devices[path] ?? 'none',
      show: async ({ name }, standing) => void (shown[name] = standing),
      events: {
        normal: () => {},
        warning: ({ kind }, reason, message) => told.push(`${kind} ${reason} ${message}`),
      },
      meter: { count: (applied, failed) => (counted = [applied, failed]) },
      now: () => clock,
      lookAt: (key) => queue.push(key),
    });
  });

  function volume(name: string, ioLimits: IoLimits | undefined): LocalVolume {
    return aVolume(aClaim(name, 10), 'n1', {
      status: { phase: 'Ready', path: `/run/${name}` },
      spec: { ioLimits },
    });
  }

  /** @returns what failed on the way */
  async function look(...keys: string[]): Promise<string[]> {
    const failed: string[] = [];
    queue.push(...(keys.length > 0 ? keys : [everyPod]));
    for (let key = queue.shift(); key !== undefined; key = queue.shift()) {
      await limiter.reconcile(key).catch((error: unknown) => failed.push(String(error)));
    }
    return failed;
  }

  it('limits the pods that use a volume with limits, and no others', async () => {
    await look();

    expect(limits).to.deep.equal({ p1: { '7:1': { readIops: 20 } } });
    expect(shown).to.deep.equal({ 'pvc-uid-slow': { applied: true, pods: 1 } });
    expect(counted).to.deep.equal([1, 0]);
    expect(told).to.deep.equal([]);
  });

  it('watches nothing while no volume has limits', async () => {
    await look();
    expect(watches).to.equal(1);
    volumes = volumes.filter(({ spec }) => spec.ioLimits === undefined);

    await look();

    expect(watches).to.equal(0);
    expect([...listening.keys()]).to.deep.equal([]);
  });

  it('limits again when a container begins', async () => {
    await look();
    limits = {};

    listening.get('p1')?.();
    await look(...queue.splice(0));

    expect(limits).to.have.keys('p1');
  });

  it('takes the stricter limit where two volumes of a pod are on one disk', async () => {
    volumes.push(volume('other', { readIops: 10, writeIops: 5 }));
    devices['/run/other'] = '7:1';
    mounted['p1']?.push('pvc-uid-other');

    await look();

    expect(limits['p1']).to.deep.equal({ '7:1': { readIops: 10, writeIops: 5 } });
  });

  it('limits each of two pods on one volume', async () => {
    mounted['p3'] = ['pvc-uid-slow'];

    await look();

    expect(limits).to.have.keys('p1', 'p3');
    expect(shown['pvc-uid-slow']).to.deep.equal({ applied: true, pods: 2 });
  });

  it('shows nothing once the last pod is gone', async () => {
    await look();
    delete mounted['p1'];

    await look('p1');

    expect(shown).to.have.property('pvc-uid-slow', undefined);
    expect([...listening.keys()]).to.deep.equal([]);
  });

  it('shows nothing of a pod that went while no agent was there', async () => {
    delete mounted['p1'];

    await look();

    expect(shown).to.have.property('pvc-uid-slow', undefined);
  });

  it('waits silently for a pod that begins', async () => {
    noCgroup.add('p1');
    expect(await look()).to.have.lengthOf(1);
    expect(shown).to.deep.equal({ 'pvc-uid-slow': undefined });

    noCgroup.clear();
    clock = 500;
    await look('p1');

    expect(shown['pvc-uid-slow']).to.deep.equal({ applied: true, pods: 1 });
    expect(told).to.deep.equal([]);
  });

  it('tells once what lasts, with its cause, and shows when it is over', async () => {
    noCgroup.add('p1');
    await look();
    clock = 11_000;
    expect(await look('p1')).to.have.lengthOf(1);
    await look('p1');

    expect(shown['pvc-uid-slow']).to.deep.equal({
      applied: false,
      pods: 1,
      message: 'p1 has no cgroup',
    });
    expect(counted).to.deep.equal([0, 1]);
    expect(told).to.deep.equal([
      'LocalVolume IoLimitsNotApplied node n1: p1 has no cgroup',
      'PersistentVolumeClaim IoLimitsNotApplied node n1: p1 has no cgroup',
    ]);

    noCgroup.clear();
    await look('p1');
    expect(shown['pvc-uid-slow']).to.deep.equal({ applied: true, pods: 1 });
    expect(counted).to.deep.equal([1, 0]);
  });

  it('says so where it cannot see who uses a volume, and goes on when it can', async () => {
    kubeletIsThere = false;
    expect(await look()).to.have.lengthOf(1);
    expect(shown['pvc-uid-slow']).to.equal(undefined);
    clock = 11_000;
    expect(await look()).to.have.lengthOf(1);

    expect(shown['pvc-uid-slow']?.applied).to.equal(false);
    expect(shown['pvc-uid-slow']?.message).to.contain('no folder of kubelet');
    expect(watches).to.equal(0);

    kubeletIsThere = true;
    await look();
    expect(shown['pvc-uid-slow']).to.deep.equal({ applied: true, pods: 1 });
    expect(watches).to.equal(1);
  });

  it('limits nothing for a volume that is not there yet', async () => {
    volumes = [{ ...volume('slow', { readIops: 20 }), status: { phase: 'Pending' } }];

    expect((await rejection(limiter.reconcile('p1'))).message).to.contain('pvc-uid-slow');
    expect(limits).to.deep.equal({});
  });
});
