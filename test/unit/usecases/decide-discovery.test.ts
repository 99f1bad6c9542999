import { expect } from 'chai';
import fc from 'fast-check';
import { bytes, MiB } from '../../../src/model/bytes.ts';
import type { DiscoveredEntry, DiscoveryPlan } from '../../../src/model/discovery.ts';
import { mediumVolumeName } from '../../../src/model/discovery.ts';
import { parseGlob } from '../../../src/model/glob.ts';
import { parseDiscoverySpec } from '../../../src/backends/discovery-options.ts';
import { decideDiscovery } from '../../../src/usecases/decide-discovery.ts';
import type { DiscoveryFacts, MediumVolume } from '../../../src/usecases/medium-facts.ts';

const plan: DiscoveryPlan = {
  ...{ directory: '/mnt', namePattern: '*', storageClassName: 'found', volumeMode: 'Filesystem' },
  ...{ clean: { filesystem: 'delete', device: 'discard' }, takeOver: true },
};
const ids = ['a', 'b', 'c'];

const entries = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('one', 'two', 'three'),
    id: fc.constantFrom(...ids),
    state: fc.constantFrom('available' as const, 'cleaning' as const, 'refused' as const),
    busy: fc.boolean(),
    cleanedFor: fc.constantFrom('u-a', 'u-b', undefined),
  }),
  { selector: ({ id }) => id },
);

const toEntry = ({
  cleanedFor,
  ...entry
}: {
  name: string;
  id: string;
  state: DiscoveredEntry['state'];
  busy: boolean;
  cleanedFor: string | undefined;
}): DiscoveredEntry => ({
  ...entry,
  ...{ path: `/mnt/${entry.name}`, bytes: bytes(MiB), mode: 'Filesystem' },
  ...(cleanedFor !== undefined && { cleaned: { volumeUid: cleanedFor, at: '', result: '' } }),
});

const volumes = fc.uniqueArray(
  fc
    .record({
      id: fc.option(fc.constantFrom(...ids), { nil: undefined }),
      at: fc.constantFrom('one', 'two', 'three'),
      isStatic: fc.boolean(),
      phase: fc.constantFrom('Pending', 'Available', 'Bound', 'Released'),
      reclaimPolicy: fc.constantFrom('Delete', 'Retain'),
      deleting: fc.boolean(),
    })
    .map(({ at, ...one }): MediumVolume => {
      const isClaimed = ['Bound', 'Released'].includes(one.phase);
      return {
        ...one,
        name: one.id === undefined ? `local-pv-${at}` : mediumVolumeName('n', one.id),
        uid: `u-${one.id ?? at}`,
        ...{ resourceVersion: '1', pool: 'p', path: `/mnt/${at}`, bytes: MiB },
        ...{ mode: 'Filesystem', className: 'found' },
        claim: isClaimed ? { namespace: 'd', name: 'c', uid: 'claim' } : undefined,
      };
    }),
  { selector: ({ name }) => name },
);

const facts = fc
  .record({
    entries,
    volumes,
    asked: fc.uniqueArray(fc.constantFrom(...ids)),
    healthy: fc.boolean(),
    applies: fc.boolean(),
    nodeExists: fc.boolean(),
    takeOver: fc.boolean(),
  })
  .map((given): DiscoveryFacts => ({
    node: 'n',
    nodeExists: given.nodeExists,
    pools: [{ name: 'p', applies: given.applies, plan: { ...plan, takeOver: given.takeOver } }],
    found: [{ pool: 'p', healthy: given.healthy, entries: given.entries.map(toEntry) }],
    requests: given.asked.map((id) => ({
      ...{ pool: 'p', id, volume: mediumVolumeName('n', id), volumeUid: `u-${id}` },
      requestedAt: '',
    })),
    volumes: given.volumes,
    elsewhere: () => undefined,
  }));

describe('deciding about media that are found', () => {
  it('never makes two volumes of one medium, nor one that is being cleaned', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const made = decideDiscovery(given).flatMap((one) => (one.kind === 'make' ? [one] : []));
        const known = given.volumes.flatMap(({ id }) => (id === undefined ? [] : [id]));
        const all = [...known, ...made.map(({ entry }) => entry.id)];
        expect(new Set(all).size).to.equal(all.length);
        for (const { entry } of made) {
          expect(entry).to.include({ state: 'available', busy: false });
          expect(given.requests.map(({ id }) => id)).to.not.include(entry.id);
          expect(given.volumes.map(({ path }) => path)).to.not.include(entry.path);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes nothing away from a claim, and asks for no cleaning but of what was marked deleted', () => {
    fc.assert(
      fc.property(facts, (given) => {
        for (const action of decideDiscovery(given)) {
          if (action.kind === 'make' || action.kind === 'forget' || action.kind === 'warn') {
            continue;
          }
          if (action.kind === 'takeOver') {
            const ids = [...given.volumes, ...given.requests].map(({ id }) => id);
            expect(ids).to.not.include(action.entry.id);
            continue;
          }
          expect(action.volume.phase).to.not.equal('Bound');
          if (action.kind === 'withdraw') {
            expect(action.volume.claim).to.equal(undefined);
          }
          if (action.kind === 'ask') {
            expect(action.volume).to.include({ deleting: true, reclaimPolicy: 'Delete' });
          }
          if (action.kind === 'release') {
            expect(action.volume).to.include({ phase: 'Released', reclaimPolicy: 'Delete' });
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  const entry: DiscoveredEntry = {
    ...{ name: 'one', path: '/mnt/one', id: 'a', bytes: bytes(10 * MiB), mode: 'Filesystem' },
    state: 'available',
  };

  const factsOf = (
    found: DiscoveredEntry,
    about: { readonly plan?: object; readonly volumes?: readonly MediumVolume[] } = {},
  ): DiscoveryFacts => ({
    ...{ node: 'n', nodeExists: true, requests: [], volumes: about.volumes ?? [] },
    pools: [{ name: 'p', applies: true, plan: { ...plan, ...about.plan } }],
    found: [{ pool: 'p', healthy: true, entries: [found] }],
    elsewhere: () => undefined,
  });

  it('offers only what the pool asks for now, in its own directory', () => {
    const kinds = (found: object, about: object = {}) =>
      decideDiscovery(factsOf({ ...entry, ...found }, { plan: about })).map(({ kind }) => kind);
    expect(kinds({})).to.deep.equal(['make']);
    expect(kinds({}, { namePattern: 'two*' })).to.deep.equal([]);
    expect(kinds({}, { volumeMode: 'Block' })).to.deep.equal([]);
    expect(kinds({}, { directory: '/mnt/other' })).to.deep.equal([]);
    expect(kinds({ path: '/etc' })).to.deep.equal([]);
    expect(kinds({ name: '..', path: '/mnt/..' })).to.deep.equal([]);
    expect(kinds({ name: 'a/b', path: '/mnt/a/b' })).to.deep.equal([]);
  });

  it('takes over no volume whose place another medium has', () => {
    const volume: MediumVolume = {
      ...{ name: 'local-pv-1', uid: 'u', resourceVersion: '1', pool: '', isStatic: true },
      ...{ path: '/mnt/one', bytes: 10 * MiB, mode: 'Filesystem', className: 'found' },
      ...{ phase: 'Released', claim: { name: 'c' }, reclaimPolicy: 'Delete', deleting: false },
    };
    const decide = (found: object, about: object = {}, more: readonly MediumVolume[] = []) =>
      decideDiscovery(
        factsOf({ ...entry, ...found }, { volumes: [{ ...volume, ...about }, ...more] }),
      )[0];
    expect(decide({})).to.include({ kind: 'takeOver' });
    expect(decide({ bytes: bytes(11 * MiB) })).to.include({ kind: 'takeOver' });
    expect(decide({}, { phase: 'Bound' })).to.include({ kind: 'takeOver' });
    const others = [{ bytes: bytes(9 * MiB) }, { bytes: bytes(12 * MiB) }, { mode: 'Block' }];
    for (const other of others) {
      const action = decide(other);
      expect(action).to.include({ kind: 'warn' });
      expect(action?.kind === 'warn' && action.text).to.include('another medium');
      expect(decide(other, { phase: 'Bound' })).to.equal(undefined);
    }
    const has = { ...volume, name: 'disk-1', uid: 'v', id: 'a', phase: 'Bound', path: '/mnt/b' };
    const action = decide({}, {}, [has]);
    expect(action?.kind === 'warn' && action.text).to.include('the medium of disk-1');
  });

  it('forgets a request only when it was fulfilled and its volume is gone', () => {
    fc.assert(
      fc.property(facts, (given) => {
        for (const action of decideDiscovery(given)) {
          if (action.kind === 'forget') {
            const { volumeUid } = action.request;
            expect(given.volumes.map(({ uid }) => uid)).to.not.include(volumeUid);
            const done = given.found[0]?.entries.map(({ cleaned }) => cleaned?.volumeUid);
            expect(done).to.include(volumeUid);
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('reads patterns of the shell', () => {
    const fits = (pattern: string, name: string) => parseGlob(pattern)?.(name);
    expect(fits('*', '.x')).to.equal(true);
    expect(fits('nvme?n1', 'nvme0n1')).to.equal(true);
    expect(fits('nvme?n1', 'nvme10n1')).to.equal(false);
    expect(fits('[!a]*', 'abc')).to.equal(false);
    expect(fits('a.b', 'axb')).to.equal(false);
  });

  it('names every mistake of a pool', () => {
    const read = (discovery: object, more = {}) =>
      parseDiscoverySpec({ backend: 'discovery', discovery, ...more });
    const good = { directory: '/mnt/x', storageClassName: 'fast' };
    expect(read(good)).to.include({ ok: true });
    const bad = read({ directory: 'x', volumeMode: 'Raw', clean: { device: 'shred' }, more: 1 });
    const text = bad.ok ? '' : bad.error;
    expect(text).to.include('discovery.directory').and.include('storageClassName');
    expect(text).to.include('volumeMode').and.include('clean.device').and.include('more');
    const cut = read(good, { reserve: '10%' });
    expect(cut.ok ? '' : cut.error).to.include('reserve');
  });
});
