import { expect } from 'chai';
import { bytes } from '../../../src/model/bytes.ts';
import type { LocalVolume } from '../../../src/model/volume.ts';
import { OrphanClock } from '../../../src/usecases/orphan-clock.ts';
import { findOrphans, tellOrphans } from '../../../src/usecases/orphans.ts';

const image = (name: string) => ({
  name,
  volumeUid: `uid-${name}`,
  bytes: bytes(10),
  allocatedBytes: bytes(12),
});
const asked = (name: string) => ({ uid: `uid-${name}`, spec: {} }) as LocalVolume;
const fast = { name: 'fast', healthy: true };
const dayMs = 86_400_000;
const content = (volumes: string[], strays: string[] = [], keepForMs = 7 * dayMs) => ({
  pool: fast,
  keepForMs,
  inventory: {
    volumes: volumes.map(image),
    strays: strays.map((name) => ({ name, bytes: bytes(1), reason: 'torn' })),
  },
});
const [monday, tuesday] = ['2026-01-05T00:00:00.000Z', '2026-01-06T00:00:00.000Z'];

describe('orphans', () => {
  it('are what no LocalVolume asks for, and what nobody can recognise', () => {
    const found = findOrphans([content(['a', 'b'], ['c'])], [asked('a')], [], monday);

    expect(found).to.deep.equal([
      {
        ...{ pool: 'fast', name: 'b', volumeUid: 'uid-b', bytes: 12, usableBytes: 10 },
        ...{ since: monday, removedAt: '2026-01-12T00:00:00.000Z' },
        reason: 'no LocalVolume with uid uid-b is on this node',
      },
      ...[{ pool: 'fast', name: 'c', bytes: 1, reason: 'torn' }].map((stray) => ({
        ...{ ...stray, since: monday, removedAt: undefined },
      })),
    ]);
  });

  it('are not what a LocalVolume adopts', () => {
    const adopter = { uid: 'x', spec: { adopts: image('a') } } as unknown as LocalVolume;

    expect(findOrphans([content(['a'])], [adopter], [], monday)).to.deep.equal([]);
  });

  it('keep the date on which they were first seen, and move with the period of the pool', () => {
    const before = findOrphans([content(['a'])], [], [], monday);
    const now = findOrphans([content(['a', 'b'], [], dayMs)], [], before, tuesday);

    expect(now.map(({ since }) => since)).to.deep.equal([monday, tuesday]);
    expect(now[0]?.removedAt).to.equal(tuesday);
  });

  it('are another when another volume has the name', () => {
    const before = findOrphans([content(['a'])], [], [], monday);
    const other = {
      ...content([]),
      inventory: { volumes: [{ ...image('a'), volumeUid: 'x' }], strays: [] },
    };

    expect(findOrphans([other], [], before, tuesday)[0]?.since).to.equal(tuesday);
  });

  it('are never removed by themselves where the period is for ever', () => {
    const [orphan] = findOrphans([content(['a'], [], Infinity)], [], [], monday);

    expect(orphan?.removedAt).to.equal(undefined);
  });

  it('are not forgotten while their pool cannot be read', () => {
    const before = findOrphans([content(['a'])], [], [], monday);
    const ill = { ...content([]), pool: { ...fast, healthy: false } };

    expect(findOrphans([ill], [], before, tuesday)).to.deep.equal(before);
    expect(findOrphans([content([])], [], before, tuesday)).to.deep.equal([]);
  });

  it('are told once, with what becomes of them', () => {
    const told: string[] = [];
    const events = {
      normal: () => {},
      warning: (_: unknown, reason: string, text: string) => told.push(`${reason} ${text}`),
    };
    const about = { apiVersion: 'v1', kind: 'StorageNode', name: 'n1' };
    const first = findOrphans([content(['a'], ['c'])], [], [], monday);
    tellOrphans(first, [], about, events);
    tellOrphans(findOrphans([content(['a'], ['c'])], [], first, tuesday), first, about, events);

    expect(told).to.have.length(2);
    expect(told[0]).to.include('OrphanFound').and.include('removed in 7d, at 2026-01-12');
    expect(told[1]).to.include('until somebody adopts or purges it');
  });
});

describe('the clock of orphans', () => {
  let wall: number;
  let steady: number;
  const since = Date.parse(monday);
  const at = (ms: number): string => new Date(since + ms).toISOString();
  const orphan = (keepForMs: number) => ({
    ...{ pool: 'fast', name: 'a', bytes: bytes(1), reason: '', volumeUid: 'u', since: monday },
    removedAt: at(keepForMs),
  });
  const start = () =>
    new OrphanClock(
      () => wall,
      () => steady,
    );
  const minuteMs = 60_000;

  beforeEach(() => {
    wall = since;
    steady = 5_000;
  });

  it('waits for the date', () => {
    const clock = start();
    clock.see([orphan(7 * dayMs)]);
    steady += dayMs;
    wall += dayMs;

    expect(clock.waitMs(orphan(7 * dayMs))).to.equal(6 * dayMs);
  });

  it('does not follow a wall clock that jumps ahead', () => {
    const clock = start();
    clock.see([orphan(7 * dayMs)]);
    wall += 30 * dayMs;
    steady += minuteMs;

    expect(clock.waitMs(orphan(7 * dayMs))).to.equal(7 * dayMs - minuteMs);
  });

  it('follows a wall clock that is put back', () => {
    const clock = start();
    clock.see([orphan(dayMs)]);
    steady += dayMs;
    wall -= dayMs;

    expect(clock.waitMs(orphan(dayMs))).to.equal(2 * dayMs);
  });

  it('gives a process ten minutes to be told that its clock was wrong when it began', () => {
    wall = since + 30 * dayMs;
    const clock = start();
    clock.see([orphan(7 * dayMs)]);
    expect(clock.waitMs(orphan(7 * dayMs))).to.equal(10 * minuteMs);
    expect(clock.waitMs(orphan(minuteMs))).to.equal(minuteMs);

    steady += 4 * minuteMs;
    clock.see([orphan(7 * dayMs)]);
    expect(clock.waitMs(orphan(7 * dayMs))).to.equal(6 * minuteMs);
    steady += 6 * minuteMs;
    expect(clock.waitMs(orphan(7 * dayMs))).to.equal(0);
  });

  it('begins anew with one that was gone for a while', () => {
    wall = since + 30 * dayMs;
    const clock = start();
    clock.see([orphan(7 * dayMs)]);
    steady += 9 * minuteMs;
    clock.see([]);
    expect(clock.waitMs(orphan(7 * dayMs))).to.equal(undefined);
    clock.see([orphan(7 * dayMs)]);

    expect(clock.waitMs(orphan(7 * dayMs))).to.equal(10 * minuteMs);
  });
});
