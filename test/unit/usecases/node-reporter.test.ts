import { expect } from 'chai';
import { bytes, GiB, type Bytes } from '../../../src/model/bytes.ts';
import type { PoolReport } from '../../../src/model/pool.ts';
import type { LocalVolume } from '../../../src/model/volume.ts';
import type { NodeChange, NodeStanding, ShownNode } from '../../../src/usecases/node-ports.ts';
import { NodeReporter } from '../../../src/usecases/node-reporter.ts';
import type { BackendVolume, StorageBackend } from '../../../src/usecases/ports.ts';

const key = 'capacity.berth.dev/fast';

describe('NodeReporter', () => {
  let shown: ShownNode | undefined;
  let published: NodeChange[];
  let standings: NodeStanding[];
  let volumes: LocalVolume[];
  let images: BackendVolume[];
  let problem: Error | undefined;
  let free: Bytes;
  let told: string[];
  let lookedAt: string[];
  let heard: string[][];
  /** The volumes that a measurement finds. */
  let counted: string[];
  let refuse = false;
  let reporter: NodeReporter;
  /** Runs in the middle of a measurement. */
  let meanwhile: () => void;
  const { signal } = new AbortController();

  const storage = {
    usage: async () => {
      if (problem) {
        throw problem;
      }
      const room = { total: bytes(10 * GiB), allocated: bytes(0), free, largest: free };
      return { ...room, volumes: counted };
    },
    list: async () => {
      meanwhile();
      return { volumes: images, strays: [] };
    },
  } as unknown as StorageBackend;

  function start(): NodeReporter {
    return new NodeReporter({
      node: 'n1',
      board: {
        shown: () => shown,
        publish: async (change) => {
          if (refuse) {
            throw new Error('no answer');
          }
          published.push(change);
          const annotations = { ...shown?.annotations, ...change.annotations };
          const labels = { ...shown?.labels, ...change.labels };
          shown = { annotations, labels } as ShownNode;
        },
      },
      standings: { write: async (standing) => void standings.push(standing) },
      volumes: { list: () => volumes },
      devices: { resume: () => {}, show: async () => [] },
      pools: { list: () => [{ name: 'fast', backend: 'loop', applies: true, storage }] },
      events: {
        normal: (_, reason) => told.push(reason),
        warning: (_, reason, message) => told.push(`${reason} ${message}`),
      },
      meter: { timed: (_, work) => work(), pools: () => {} },
      now: () => 0,
      reportSoon: () => {},
      lookAt: (name) => lookedAt.push(name),
      about: () => ({ apiVersion: 'berth.dev/v1alpha1', kind: 'StorageNode', name: 'n1' }),
      onOrphans: (orphans) => heard.push(orphans.map(({ name }) => name)),
    });
  }

  beforeEach(() => {
    shown = { labels: {}, annotations: {} };
    published = [];
    standings = [];
    volumes = [];
    images = [];
    problem = undefined;
    free = bytes(10 * GiB);
    told = [];
    lookedAt = [];
    heard = [];
    counted = [];
    meanwhile = () => {};
    reporter = start();
  });

  const report = () => JSON.parse(shown?.annotations[key] ?? '{}') as PoolReport;

  it('publishes once, and again only when something has changed', async () => {
    await reporter.report(signal);
    await reporter.report(signal);
    expect(published).to.have.length(1);
    expect(report()).to.include({ generation: 1, free: 10 * GiB });

    free = bytes(GiB);
    await reporter.report(signal);
    expect(report()).to.include({ generation: 2, free: GiB });
  });

  it('reaches the number that a volume was told, though all numbers are old', async () => {
    await reporter.report(signal);
    const generation = reporter.generationOf('fast', 'new');
    await reporter.report(signal);

    expect(report().generation).to.equal(generation);
    expect(published).to.have.length(2);
  });

  it('counts a volume that is made during a measurement only in the next report', async () => {
    await reporter.report(signal);
    let generation = 0;
    free = bytes(GiB);
    meanwhile = () => (generation ||= reporter.generationOf('fast', 'new'));
    await reporter.report(signal);
    expect(report().generation).to.be.below(generation);

    await reporter.report(signal);
    expect(report().generation).to.equal(generation);
  });

  it('counts it then even when the measurement at hand is not worth publishing', async () => {
    await reporter.report(signal);
    let generation = 0;
    meanwhile = () => (generation ||= reporter.generationOf('fast', 'new'));
    await reporter.report(signal);
    await reporter.report(signal);

    expect(report().generation).to.equal(generation);
  });

  it('names the report at hand for a volume that it has counted', async () => {
    await reporter.report(signal);
    let generation = 0;
    free = bytes(GiB);
    counted = ['new'];
    meanwhile = () => (generation ||= reporter.generationOf('fast', 'new'));
    await reporter.report(signal);

    expect(report()).to.include({ generation, free: GiB });
  });

  it('names the last report for a volume that it has counted, and owes nothing', async () => {
    await reporter.report(signal);
    free = bytes(GiB);
    counted = ['new'];
    await reporter.report(signal);

    expect(reporter.generationOf('fast', 'new')).to.equal(report().generation);
    await reporter.report(signal);
    expect(published).to.have.length(2);
  });

  it('counts a volume that has grown in the next report, though it counts it already', async () => {
    free = bytes(GiB);
    counted = ['old'];
    await reporter.report(signal);
    const generation = reporter.nextGeneration('fast');
    expect(generation).to.be.above(report().generation);
    await reporter.report(signal);
    expect(report().generation).to.equal(generation);

    let during = 0;
    meanwhile = () => (during ||= reporter.nextGeneration('fast'));
    free = bytes(2 * GiB);
    await reporter.report(signal);
    expect(report()).to.include({ generation, free: GiB });
    await reporter.report(signal);
    expect(report()).to.include({ generation: during, free: 2 * GiB });
  });

  it('shows no numbers of which it is not known whether a new volume is in them', async () => {
    await reporter.report(signal);
    free = bytes(GiB);
    meanwhile = () => void reporter.generationOf('fast', 'new');
    await reporter.report(signal);

    expect(report()).to.include({ generation: 1, free: 10 * GiB });
  });

  it('owes a report that could not be written', async () => {
    await reporter.report(signal);
    const generation = reporter.generationOf('fast', 'new');
    refuse = true;
    await reporter.report(signal).catch(() => undefined);
    refuse = false;
    await reporter.report(signal);

    expect(report().generation).to.be.above(generation);
  });

  it('never goes back, whatever trace of an earlier agent is left', async () => {
    const counted = { spec: { pool: 'fast' }, status: { phase: 'Ready', generation: 9 } };
    const traces: [Partial<NodeStanding>, ShownNode, LocalVolume[]][] = [
      [{ generation: 9 }, { labels: {}, annotations: {} }, []],
      [
        {},
        {
          labels: {},
          annotations: {
            [key]: '{"total":1,"free":1,"largest":1,"generation":9,"healthy":true}',
          },
        },
        [],
      ],
      [{}, { labels: {}, annotations: {} }, [counted as LocalVolume]],
    ];
    for (const [before, node, made] of traces) {
      shown = node;
      volumes = made;
      reporter = start();
      reporter.resume(before, shown);
      await reporter.report(signal);
      expect(report().generation).to.equal(10);
    }
  });

  it('publishes after a crash the report that a Ready volume waits for', async () => {
    await reporter.report(signal);
    volumes = [
      { spec: { pool: 'fast' }, status: { phase: 'Ready', generation: 2 } } as LocalVolume,
    ];
    reporter = start();
    reporter.resume({}, shown);
    await reporter.report(signal);

    expect(report().generation).to.be.at.least(2);
  });

  it('counts nothing of a pool that cannot be read, says why once, and when it is well', async () => {
    volumes = [{ name: 'pvc-1', spec: { pool: 'fast' }, status: {} } as LocalVolume];
    problem = new Error('loop.directory is "/x"');
    await reporter.report(signal);
    await reporter.report(signal);
    expect(report()).to.include({ healthy: false, free: 0, total: 0, largest: 0 });
    expect(standings[0]?.pools[0]?.message).to.equal('loop.directory is "/x"');
    expect(told).to.deep.equal(['PoolUnusable node n1: loop.directory is "/x"']);

    problem = undefined;
    await reporter.report(signal);
    expect(told[1]).to.equal('PoolUsable');
    expect(lookedAt).to.deep.equal(['pvc-1']);
  });

  it('looks at a Ready volume that is not on disk', async () => {
    const made = { name: 'pvc-1', uid: 'uid', spec: { pool: 'fast' }, status: { phase: 'Ready' } };
    volumes = [made as LocalVolume];
    await reporter.report(signal);
    images = [{ name: 'pvc-1', volumeUid: 'uid', bytes: bytes(1), allocatedBytes: bytes(1) }];
    await reporter.report(signal);

    expect(lookedAt).to.deep.equal(['pvc-1']);
  });

  it('writes what it knows of the disks while there is no Node', async () => {
    shown = undefined;
    await reporter.report(signal);

    expect(published).to.deep.equal([]);
    expect(standings[0]?.pools[0]).to.include({ name: 'fast', free: 10 * GiB });
  });

  it('tells of what nobody asks for once, and hands it on at each look', async () => {
    images = [{ name: 'a', volumeUid: 'uid', bytes: 1 as Bytes, allocatedBytes: 2 as Bytes }];
    await reporter.report(signal);
    await reporter.report(signal);

    expect(heard).to.deep.equal([['a'], ['a']]);
    expect(told.filter((text) => text.startsWith('OrphanFound'))).to.have.length(1);
  });

  it('takes no volume for an orphan that goes while it is measured', async () => {
    images = [{ name: 'a', volumeUid: 'uid', bytes: 1 as Bytes, allocatedBytes: 2 as Bytes }];
    volumes = [{ uid: 'uid', spec: { pool: 'fast' }, status: {} } as LocalVolume];
    meanwhile = () => (volumes = []);
    await reporter.report(signal);

    expect(heard).to.deep.equal([[]]);
  });
});
