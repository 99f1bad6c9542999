import { expect } from 'chai';
import fc from 'fast-check';
import { bytes } from '../../../src/model/bytes.ts';
import type { PoolReport } from '../../../src/model/pool.ts';
import { Ledger, type LedgerVolume, type Reservation } from '../../../src/scheduling/ledger.ts';

const at = { node: 'n1', pool: 'fast' };

function report(free: number, change: Partial<PoolReport> = {}): PoolReport {
  const total = bytes(100);
  return {
    total,
    free: bytes(free),
    largest: bytes(free),
    generation: 1,
    healthy: true,
    ...change,
  };
}

function promise(claimUid: string, size: number, where = at): Reservation {
  return { ...where, claimUid, allocated: bytes(size) };
}

function volume(claimUid: string, size: number, change: Partial<LedgerVolume> = {}): LedgerVolume {
  return { ...at, name: `pvc-${claimUid}`, claimUid, allocated: bytes(size), ...change };
}

describe('Ledger', () => {
  let ledger: Ledger;
  beforeEach(() => {
    ledger = new Ledger();
    ledger.setReport(at, report(100));
  });

  const free = (where = at): number | undefined => ledger.room(where)?.free;

  it('knows no room where it knows no report', () => {
    expect(ledger.room({ node: 'n2', pool: 'fast' })).to.equal(undefined);
    expect(ledger.reserve([promise('a', 1, { node: 'n2', pool: 'fast' })])).to.deep.equal({
      ok: false,
      error: { kind: 'no-report', at: { node: 'n2', pool: 'fast' } },
    });
  });

  it('forgets the room with the report', () => {
    ledger.setReport(at, undefined);

    expect(free()).to.equal(undefined);
    expect(ledger.poolsOn('n1')).to.deep.equal([]);
  });

  describe('of a pool in pieces', () => {
    const pieces = (sizes: number[], whole: boolean) =>
      report(
        sizes.reduce((a, b) => a + b, 0),
        {
          pieces: { sizes: sizes.map((size) => bytes(size)), whole },
        },
      );

    it('promises a whole disk to each volume', () => {
      ledger.setReport(at, pieces([50, 30], true));
      expect(ledger.reserve([promise('a', 1)])).to.deep.include({ ok: true });

      expect(ledger.room(at)).to.deep.include({ free: 50, largest: 50 });
      expect(ledger.reserve([promise('b', 1), promise('c', 1)])).to.deep.include({ ok: false });
      expect(ledger.reserve([promise('b', 1)])).to.deep.include({ ok: true });
      expect(ledger.room(at)).to.deep.include({ free: 0, largest: 0 });
    });

    it('knows which gap is left after what is in flight', () => {
      ledger.setReport(at, pieces([60, 40], false));
      ledger.setVolume(volume('a', 35));

      expect(ledger.room(at)).to.deep.include({ free: 65, largest: 60 });
      expect(ledger.reserve([promise('b', 50), promise('c', 11)])).to.deep.include({ ok: false });
      expect(ledger.reserve([promise('b', 50), promise('c', 10)])).to.deep.include({ ok: true });
    });

    it('renews a promise for the only disk', () => {
      ledger.setReport(at, pieces([50], true));
      ledger.reserve([promise('a', 1)]);

      expect(ledger.reserve([promise('a', 1)])).to.deep.include({ ok: true });
    });
  });

  it('does not promise the same bytes to two claims', () => {
    ledger.reserve([promise('a', 60)]);
    const second = ledger.reserve([promise('b', 60)]);

    expect(second).to.deep.include({ ok: false });
    expect(!second.ok && second.error).to.deep.include({ kind: 'insufficient', at, needed: 60 });
    expect(free()).to.equal(40);
  });

  it('counts a retried claim once, and does not refuse it for its own promise', () => {
    ledger.reserve([promise('a', 60)]);
    const again = ledger.reserve([promise('a', 60)]);

    expect(again.ok).to.equal(true);
    expect(free()).to.equal(40);
  });

  it('promises all claims of a pod or none', () => {
    const both = ledger.reserve([promise('a', 60), promise('b', 60)]);

    expect(both.ok).to.equal(false);
    expect(free()).to.equal(100);
    expect(ledger.reservationOf('a')).to.equal(undefined);
  });

  it('keeps an earlier promise when a later call fails', () => {
    ledger.reserve([promise('a', 60)]);
    ledger.reserve([promise('a', 60), promise('b', 60)]);

    expect(ledger.reservationOf('a')?.allocated).to.equal(60);
    expect(free()).to.equal(40);
  });

  it('refuses a claim that another node is promised for', () => {
    ledger.setReport({ node: 'n2', pool: 'fast' }, report(100));
    ledger.reserve([promise('a', 10)]);
    const elsewhere = ledger.reserve([promise('a', 10, { node: 'n2', pool: 'fast' })]);

    expect(elsewhere).to.deep.equal({
      ok: false,
      error: { kind: 'reserved-elsewhere', claimUid: 'a', node: 'n1' },
    });
  });

  it('moves a promise to another pool of the node, and leaves nothing behind', () => {
    const slow = { node: 'n1', pool: 'slow' };
    ledger.setReport(slow, report(100));
    ledger.reserve([promise('a', 10)]);
    ledger.reserve([promise('a', 20, slow)]);

    expect([free(), free(slow)]).to.deep.equal([100, 80]);

    ledger.release('a');

    expect([free(), free(slow)]).to.deep.equal([100, 100]);
  });

  it('takes a volume off until a report has counted it', () => {
    ledger.setVolume(volume('a', 30));
    expect(free()).to.equal(70);

    ledger.setVolume(volume('a', 30, { seenIn: 2 }));
    expect(free()).to.equal(70);

    ledger.setReport(at, report(70, { generation: 2 }));
    expect(free()).to.equal(70);
  });

  it('takes what a volume may grow by off until it is counted with the volume', () => {
    ledger.setVolume(volume('a', 30, { seenIn: 1 }));
    ledger.setReport(at, report(70));
    expect(free()).to.equal(70);

    ledger.setVolume(volume('a', 50, { seenIn: 1, growth: bytes(20) }));
    expect(free()).to.equal(50);
    ledger.setReport(at, report(70, { generation: 5 }));
    expect(free()).to.equal(50);

    ledger.setVolume(volume('a', 50, { seenIn: 6 }));
    expect(free()).to.be.at.most(50);
    ledger.setReport(at, report(50, { generation: 6 }));
    expect(free()).to.equal(50);
  });

  it('believes the volumes more than a report that overlooks them', () => {
    ledger.setVolume(volume('a', 80, { seenIn: 1 }));

    expect(free()).to.equal(20);
  });

  it('counts a claim once while its promise and its volume overlap', () => {
    ledger.reserve([promise('a', 30)]);
    ledger.setVolume(volume('a', 30));
    expect(free()).to.equal(70);

    ledger.release('a');
    expect(free()).to.equal(70);
  });

  it('renews the promise of a claim whose volume is there, however full the pool', () => {
    ledger.setVolume(volume('a', 100));

    expect(ledger.reserve([promise('a', 100)]).ok).to.equal(true);
    expect(free()).to.equal(0);
  });

  it('assumes the worst place for volumes in flight', () => {
    ledger.setReport(at, report(100, { largest: bytes(50) }));
    ledger.reserve([promise('a', 30)]);

    expect(ledger.room(at)).to.deep.include({ free: 70, largest: 20, inFlight: 30 });
  });

  it('keeps the volume of a claim while a namesake of another name goes', () => {
    ledger.setVolume(volume('a', 30));
    ledger.setVolume(volume('a', 30, { name: 'made by hand' }));
    ledger.setVolume(volume('a', 30));
    ledger.removeVolume('made by hand');
    ledger.reserve([promise('a', 30)]);

    expect(free()).to.equal(70);
  });

  it('survives sums beyond all numbers', () => {
    const result = ledger.reserve([promise('a', 2 ** 52), promise('b', 2 ** 52 + 1)]);

    expect(result.ok).to.equal(false);
    expect(free()).to.equal(100);
  });
});

/** What happens to a ledger. Claims are numbered; a claim's volume lies where `where` says. */
type Step =
  | { readonly kind: 'report'; readonly where: number; readonly report: PoolReport | undefined }
  | {
      readonly kind: 'volume';
      readonly claim: number;
      readonly where: number;
      readonly size: number;
    }
  | { readonly kind: 'seen'; readonly claim: number; readonly generation: number }
  | { readonly kind: 'gone'; readonly claim: number }
  | { readonly kind: 'reserve'; readonly node: number; readonly wanted: readonly Wanted[] }
  | { readonly kind: 'release'; readonly claim: number };

interface Wanted {
  readonly claim: number;
  readonly pool: number;
  readonly size: number;
}

const places = ['n1', 'n2'].flatMap((node) => ['fast', 'slow'].map((pool) => ({ node, pool })));
const claims = [0, 1, 2, 3, 4, 5];
const placeOf = (node: number, pool: number) => places[node * 2 + pool] ?? at;

const aPlace = fc.nat({ max: places.length - 1 });
const aClaimNumber = fc.constantFrom(...claims);
const aSmallSize = fc.integer({ min: 0, max: 70 });
const aSmallReport = fc
  .record({
    total: fc.integer({ min: 50, max: 150 }),
    used: fc.nat({ max: 150 }),
    hole: fc.nat(40),
  })
  .chain(({ total, used, hole }) => {
    const free = Math.max(0, total - used);
    const largest = bytes(Math.max(0, free - hole));
    return fc
      .nat({ max: 8 })
      .map((generation) => report(free, { total: bytes(total), largest, generation }));
  });

const aStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('report' as const),
    where: aPlace,
    report: fc.option(aSmallReport, { nil: undefined, freq: 8 }),
  }),
  fc.record({
    kind: fc.constant('volume' as const),
    claim: aClaimNumber,
    where: aPlace,
    size: aSmallSize,
  }),
  fc.record({
    kind: fc.constant('seen' as const),
    claim: aClaimNumber,
    generation: fc.nat({ max: 8 }),
  }),
  fc.record({ kind: fc.constant('gone' as const), claim: aClaimNumber }),
  fc.record({
    kind: fc.constant('reserve' as const),
    node: fc.nat({ max: 1 }),
    wanted: fc.uniqueArray(
      fc.record({ claim: aClaimNumber, pool: fc.nat({ max: 1 }), size: aSmallSize }),
      { selector: ({ claim }) => claim, minLength: 1, maxLength: 3 },
    ),
  }),
  fc.record({ kind: fc.constant('release' as const), claim: aClaimNumber }),
);

/** The same bookkeeping in the plainest form: lists that are added up anew for each question. */
class PlainBook {
  readonly reports = new Map<number, PoolReport>();
  readonly volumes = new Map<number, { where: number; size: number; seenIn: number | undefined }>();
  readonly promises = new Map<number, { where: number; size: number }>();

  given(where: number): number {
    return this.#sum([...this.volumes.values()].filter((one) => one.where === where));
  }

  unseen(where: number): number {
    const generation = this.reports.get(where)?.generation ?? 0;
    const unseen = [...this.volumes.values()].filter(
      (one) => one.where === where && (one.seenIn ?? Infinity) > generation,
    );
    return this.#sum(unseen);
  }

  promised(where: number, except: readonly number[] = []): number {
    const counted = [...this.promises].filter(
      ([claim, one]) =>
        one.where === where && !except.includes(claim) && this.volumes.get(claim)?.where !== where,
    );
    return this.#sum(counted.map(([, one]) => one));
  }

  free(where: number, except: readonly number[] = []): number | undefined {
    const said = this.reports.get(where);
    if (!said) {
      return undefined;
    }
    const left = Math.min(said.free - this.unseen(where), said.total - this.given(where));
    return Math.max(0, Math.max(0, left) - this.promised(where, except));
  }

  #sum(parts: readonly { size: number }[]): number {
    return parts.reduce((total, { size }) => total + size, 0);
  }
}

function toReservations(step: Extract<Step, { kind: 'reserve' }>): Reservation[] {
  return step.wanted.map(({ claim, pool, size }) =>
    promise(`c${claim}`, size, placeOf(step.node, pool)),
  );
}

/** Does one step to both; for a reserve, compares the answers too. */
function apply(step: Step, ledger: Ledger, book: PlainBook): void {
  switch (step.kind) {
    case 'report':
      ledger.setReport(places[step.where] ?? at, step.report);
      if (step.report) {
        book.reports.set(step.where, step.report);
      } else {
        book.reports.delete(step.where);
      }
      break;
    case 'volume':
      ledger.setVolume(volume(`c${step.claim}`, step.size, places[step.where]));
      book.volumes.set(step.claim, { where: step.where, size: step.size, seenIn: undefined });
      break;
    case 'seen': {
      const known = book.volumes.get(step.claim);
      if (known) {
        known.seenIn = step.generation;
        const change = { ...places[known.where], seenIn: step.generation };
        ledger.setVolume(volume(`c${step.claim}`, known.size, change));
      }
      break;
    }
    case 'gone':
      ledger.removeVolume(`pvc-c${step.claim}`);
      book.volumes.delete(step.claim);
      break;
    case 'release':
      ledger.release(`c${step.claim}`);
      book.promises.delete(step.claim);
      break;
    case 'reserve':
      applyReserve(step, ledger, book);
      break;
  }
}

function applyReserve(
  step: Extract<Step, { kind: 'reserve' }>,
  ledger: Ledger,
  book: PlainBook,
): void {
  const wanted = step.wanted.map((one) => ({ ...one, where: step.node * 2 + one.pool }));
  const own = wanted.map(({ claim }) => claim);
  const elsewhere = own.some((claim) => {
    const held = book.promises.get(claim);
    return held !== undefined && Math.floor(held.where / 2) !== step.node;
  });
  const cut = wanted.filter(({ claim, where }) => book.volumes.get(claim)?.where !== where);
  const fits = [...new Set(cut.map(({ where }) => where))].every((where) => {
    const needed = cut.filter((one) => one.where === where).reduce((n, { size }) => n + size, 0);
    const room = book.free(where, own);
    return room !== undefined && needed <= room;
  });

  const answer = ledger.reserve(toReservations(step));

  expect(answer.ok).to.equal(!elsewhere && fits);
  if (answer.ok) {
    wanted.forEach(({ claim, where, size }) => book.promises.set(claim, { where, size }));
  }
}

const frees = (ledger: Ledger) => places.map((place) => ledger.room(place)?.free);

describe('Ledger in any history', () => {
  const history = fc.array(aStep, { maxLength: 40 });

  it('agrees with plain bookkeeping after every step', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const ledger = new Ledger();
        const book = new PlainBook();

        for (const step of steps) {
          apply(step, ledger, book);

          expect(frees(ledger)).to.deep.equal(places.map((_, where) => book.free(where)));
          places.forEach((place, where) => {
            const room = ledger.room(place);
            expect(room?.inFlight).to.equal(room && book.unseen(where) + book.promised(where));
          });
        }
      }),
      { numRuns: 400 },
    );
  });

  it('keeps what is free between nothing and what was reported, in one piece never more', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const ledger = new Ledger();
        const book = new PlainBook();
        for (const step of steps) {
          apply(step, ledger, book);
          places.forEach((place) => {
            const [room, said] = [ledger.room(place), ledger.reportOf(place)];
            expect(room === undefined).to.equal(said === undefined);
            if (room && said) {
              expect(room.free).to.be.within(0, said.free);
              expect(room.largest).to.be.within(0, Math.min(room.free, said.largest));
            }
          });
        }
      }),
      { numRuns: 200 },
    );
  });

  it('answers a repeated reserve as the first, and nothing moves', () => {
    fc.assert(
      fc.property(history, aStep, (steps, last) => {
        fc.pre(last.kind === 'reserve');
        const ledger = new Ledger();
        const book = new PlainBook();
        steps.forEach((step) => apply(step, ledger, book));
        const wanted = toReservations(last);

        const before = frees(ledger);
        const first = ledger.reserve(wanted);
        const after = frees(ledger);
        const second = ledger.reserve(wanted);

        expect(second.ok).to.equal(first.ok);
        expect(frees(ledger)).to.deep.equal(after);
        if (!first.ok) {
          expect(after).to.deep.equal(before);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('knows the same after a restart, but for the promises', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const ledger = new Ledger();
        const book = new PlainBook();
        steps.forEach((step) => apply(step, ledger, book));
        claims.forEach((claim) => ledger.release(`c${claim}`));

        const restarted = new Ledger();
        book.volumes.forEach(({ where, size, seenIn }, claim) =>
          restarted.setVolume(volume(`c${claim}`, size, { ...places[where], seenIn })),
        );
        book.reports.forEach((said, where) => restarted.setReport(places[where] ?? at, said));

        const rooms = places.map((place) => restarted.room(place));
        expect(places.map((place) => ledger.room(place))).to.deep.equal(rooms);
        expect(places.map((place) => ledger.roomReader(place)())).to.deep.equal(rooms);
      }),
      { numRuns: 300 },
    );
  });

  it('comes to the same whatever the order in which two watches tell it', () => {
    const volumes = fc.uniqueArray(
      fc.record({
        claim: aClaimNumber,
        where: aPlace,
        size: aSmallSize,
        seenIn: fc.nat({ max: 8 }),
      }),
      { selector: ({ claim }) => claim },
    );
    const reports = fc.array(aSmallReport, { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(volumes, reports, fc.infiniteStream(fc.nat()), (all, said, order) => {
        const ledger = new Ledger();
        const shuffled = new Ledger();
        const news: ((to: Ledger) => void)[] = [
          ...said.map((one, i) => (to: Ledger) => to.setReport(places[i] ?? at, one)),
          ...all.map(({ claim, where, size, seenIn }) => (to: Ledger) => {
            to.setVolume(volume(`c${claim}`, size, { ...places[where], seenIn }));
          }),
        ];
        const otherOrder = news
          .map((tell) => ({ tell, key: order.next().value as number }))
          .sort((a, b) => a.key - b.key);

        news.forEach((tell) => tell(ledger));
        otherOrder.forEach(({ tell }) => tell(shuffled));

        const rooms = (one: Ledger) => places.map((place) => one.room(place));
        expect(rooms(shuffled)).to.deep.equal(rooms(ledger));
      }),
      { numRuns: 200 },
    );
  });
});

/** What may happen between one ledger, the API server and the agents of two nodes. */
type Move = (cluster: SimulatedCluster) => void;

const aMove: fc.Arbitrary<Move> = fc.oneof(
  fc
    .record({
      node: fc.nat({ max: 1 }),
      sizes: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 2 }),
    })
    .map(
      ({ node, sizes }) =>
        (cluster: SimulatedCluster) =>
          cluster.ask(node, sizes),
    ),
  fc.nat({ max: 20 }).map((n) => (cluster: SimulatedCluster) => cluster.agentMakes(n)),
  fc.nat({ max: 20 }).map((n) => (cluster: SimulatedCluster) => cluster.agentRemoves(n)),
  aPlace.map((where) => (cluster: SimulatedCluster) => cluster.agentReports(where)),
  fc.constant<Move>((cluster) => cluster.tellVolume()),
  fc.constant<Move>((cluster) => cluster.tellReport()),
  fc.constant<Move>((cluster) => cluster.restart()),
);

interface Disk {
  readonly where: number;
  readonly volume: LedgerVolume;
  onDisk: boolean;
}

/**
 * Agents that really allocate, and news that come late: volumes and reports come by two watches,
 * each in order, and either may lag behind the other as long as it likes.
 */
class SimulatedCluster {
  ledger = new Ledger();
  readonly #total = 100;
  readonly #disks = new Map<string, Disk>();
  readonly #generations = places.map(() => 0);
  readonly #published = new Map<number, PoolReport>();
  #volumeNews: ((ledger: Ledger) => void)[] = [];
  #reportNews: ((ledger: Ledger) => void)[] = [];
  #serial = 0;
  /** What an agent had no room for, although it was promised. */
  overAsked = 0;
  promised = 0;

  constructor() {
    places.forEach((_, where) => this.agentReports(where));
    this.restart();
  }

  /** A bind: reserve, and where that is granted, LocalVolumes at once. */
  ask(node: number, sizes: readonly number[]): void {
    const wanted = sizes.map((size, pool) => {
      this.#serial += 1;
      return promise(`c${this.#serial}`, size, placeOf(node, (pool + this.#serial) % 2));
    });
    if (!this.ledger.reserve(wanted).ok) {
      return;
    }
    this.promised += wanted.length;
    for (const { claimUid, allocated, ...place } of wanted) {
      const where = places.findIndex((one) => one.node === place.node && one.pool === place.pool);
      this.#write(claimUid, where, volume(claimUid, allocated, place));
    }
  }

  agentMakes(n: number): void {
    const waiting = [...this.#disks].filter(([, one]) => !one.onDisk);
    const [claim, disk] = waiting[n % Math.max(1, waiting.length)] ?? [];
    if (claim === undefined || disk === undefined) {
      return;
    }
    const { where, volume: made } = disk;
    if (this.#used(where) + made.allocated > this.#total) {
      this.overAsked += 1;
    }
    disk.onDisk = true;
    this.#write(claim, where, { ...made, seenIn: this.#next(where) });
    this.#volumeNews.push((ledger) => ledger.release(claim));
  }

  agentRemoves(n: number): void {
    const made = [...this.#disks].filter(([, one]) => one.onDisk);
    const [claim, disk] = made[n % Math.max(1, made.length)] ?? [];
    if (claim !== undefined && disk !== undefined) {
      this.#disks.delete(claim);
      this.#next(disk.where);
      this.#volumeNews.push((ledger) => ledger.removeVolume(`pvc-${claim}`));
    }
  }

  agentReports(where: number): void {
    const generation = this.#generations[where] ?? 0;
    const said = report(this.#total - this.#used(where), { generation });
    this.#published.set(where, said);
    this.#reportNews.push((ledger) => ledger.setReport(places[where] ?? at, said));
  }

  tellVolume(): void {
    this.#volumeNews.shift()?.(this.ledger);
  }

  tellReport(): void {
    this.#reportNews.shift()?.(this.ledger);
  }

  /** A new process reads what the API server has. Promises without a LocalVolume are forgotten. */
  restart(): void {
    this.ledger = new Ledger();
    this.#volumeNews = [];
    this.#reportNews = [];
    this.#published.forEach((said, where) => this.ledger.setReport(places[where] ?? at, said));
    this.#disks.forEach(({ volume: written }) => this.ledger.setVolume(written));
  }

  #write(claim: string, where: number, written: LedgerVolume): void {
    this.#disks.set(claim, { where, volume: written, onDisk: written.seenIn !== undefined });
    this.#volumeNews.push((ledger) => ledger.setVolume(written));
  }

  #used(where: number): number {
    const used = [...this.#disks.values()].filter((one) => one.where === where && one.onDisk);
    return used.reduce((sum, one) => sum + one.volume.allocated, 0);
  }

  /** The generation of the first report that will count a change made now. */
  #next(where: number): number {
    const next = (this.#generations[where] ?? 0) + 1;
    this.#generations[where] = next;
    return next;
  }
}

describe('Ledger beside agents that allocate really and report late', () => {
  it('never asks an agent for more than it has', () => {
    let promised = 0;
    fc.assert(
      fc.property(fc.array(aMove, { minLength: 10, maxLength: 80 }), (moves) => {
        const cluster = new SimulatedCluster();

        moves.forEach((move) => move(cluster));
        Array.from({ length: 40 }, () => cluster.agentMakes(0));

        expect(cluster.overAsked).to.equal(0);
        promised += cluster.promised;
      }),
      { numRuns: 500 },
    );
    expect(promised, 'the histories promise something at all').to.be.above(500);
  });

  it('has everything free again when all is removed and told', () => {
    fc.assert(
      fc.property(fc.array(aMove, { minLength: 10, maxLength: 40 }), (moves) => {
        const cluster = new SimulatedCluster();
        moves.forEach((move) => move(cluster));

        for (let i = 0; i < 100; i += 1) {
          cluster.agentMakes(0);
        }
        for (let i = 0; i < 100; i += 1) {
          cluster.agentRemoves(0);
        }
        places.forEach((_, where) => cluster.agentReports(where));
        for (let i = 0; i < 500; i += 1) {
          cluster.tellVolume();
          cluster.tellReport();
        }

        expect(frees(cluster.ledger)).to.deep.equal([100, 100, 100, 100]);
      }),
      { numRuns: 200 },
    );
  });
});
