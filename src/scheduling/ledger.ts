import { sumBytes, type Bytes } from '../model/bytes.ts';
import { putInto } from '../model/pieces.ts';
import type { PoolReport } from '../model/pool.ts';
import { err, ok, type Result } from '../model/result.ts';
import { countRoom, type Room } from './room.ts';

/** One pool of one node. */
export interface PoolId {
  readonly node: string;
  readonly pool: string;
}

/** A LocalVolume as the ledger counts it. */
export interface LedgerVolume extends PoolId {
  readonly name: string;
  readonly claimUid: string;
  /** What it occupies, or may grow to, overhead included. */
  readonly allocated: Bytes;
  /** The part of that which it may grow by and does not occupy yet: no report counts it. */
  readonly growth?: Bytes | undefined;
  /** The first report that has counted it; missing while the agent has not said. */
  readonly seenIn?: number | undefined;
}

/** A promise of space that is not a LocalVolume yet. */
export interface Reservation extends PoolId {
  readonly claimUid: string;
  readonly allocated: Bytes;
}

/** Why the ledger does not promise. */
export type Shortage =
  | { readonly kind: 'no-report'; readonly at: PoolId }
  | {
      readonly kind: 'insufficient';
      readonly at: PoolId;
      readonly needed: Bytes;
      readonly room: Room;
    }
  | { readonly kind: 'reserved-elsewhere'; readonly claimUid: string; readonly node: string };

interface Account {
  report: PoolReport | undefined;
  readonly volumes: Map<string, LedgerVolume>;
  readonly reservations: Map<string, Reservation>;
  /** Worked out once between two changes; missing after a change. */
  room: Room | undefined;
}

const nobody: ReadonlySet<string> = new Set();

/**
 * Knows what every pool can still give:
 *
 *     free = min(report.free - volumes the report has not counted,
 *                total - all volumes) - reservations
 *
 * What a volume has been promised to grow by is given out, and in no report.
 *
 *              reserve                 LocalVolume appears
 *     (none) ----------> reserved ------------------------> volume (not in a report)
 *        ^                  |                                  |  report reaches its generation
 *        |     release      |                                  v
 *        +------------------+                               volume (in the report) --> (gone)
 *
 * A claim is counted once: its reservation stands aside as soon as its volume is known. Holds
 * no clock and does no I/O; after a restart it is refilled from reports and LocalVolumes.
 */
export class Ledger {
  readonly #accounts = new Map<string, Map<string, Account>>();
  readonly #volumes = new Map<string, LedgerVolume>();
  readonly #volumeOfClaim = new Map<string, LedgerVolume>();
  readonly #reservations = new Map<string, Reservation>();

  /** Takes over what the agent says of a pool; nothing means that it says nothing any more. */
  setReport(at: PoolId, report: PoolReport | undefined): void {
    const account = this.#account(at);
    account.report = report;
    this.#dropIfEmpty(at, account);
  }

  setVolume(volume: LedgerVolume): void {
    this.removeVolume(volume.name);
    this.#volumes.set(volume.name, volume);
    this.#volumeOfClaim.set(volume.claimUid, volume);
    this.#account(volume).volumes.set(volume.name, volume);
  }

  removeVolume(name: string): void {
    const volume = this.#volumes.get(name);
    if (volume) {
      this.#volumes.delete(name);
      if (this.#volumeOfClaim.get(volume.claimUid) === volume) {
        this.#volumeOfClaim.delete(volume.claimUid);
      }
      const account = this.#account(volume);
      account.volumes.delete(name);
      this.#dropIfEmpty(volume, account);
    }
  }

  /**
   * Promises space for all of a pod's claims on one node, or for none of them. Asking again for
   * the same claims renews the promise and never counts twice.
   */
  reserve(wanted: readonly Reservation[]): Result<void, Shortage> {
    const own = new Set(wanted.map(({ claimUid }) => claimUid));
    for (const { claimUid, node } of wanted) {
      const held = this.#reservations.get(claimUid);
      if (held && held.node !== node) {
        return err({ kind: 'reserved-elsewhere', claimUid, node: held.node });
      }
    }
    for (const { at, sizes } of perPool(wanted.filter((one) => !this.#isVolume(one)))) {
      const needed = sumBytes(sizes);
      const room = this.room(at, own);
      if (!room) {
        return err({ kind: 'no-report', at });
      }
      if (needed > room.free || (room.pieces && !putInto(room.pieces, sizes))) {
        return err({ kind: 'insufficient', at, needed, room });
      }
    }
    for (const reservation of wanted) {
      // A promise in another pool of the node is replaced, not added to.
      this.release(reservation.claimUid);
      this.#reservations.set(reservation.claimUid, reservation);
      this.#account(reservation).reservations.set(reservation.claimUid, reservation);
    }
    return ok(undefined);
  }

  /** Takes a promise back, or ends it because the volume has taken its place. May be repeated. */
  release(claimUid: string): void {
    const held = this.#reservations.get(claimUid);
    if (held) {
      this.#reservations.delete(claimUid);
      const account = this.#account(held);
      account.reservations.delete(claimUid);
      this.#dropIfEmpty(held, account);
    }
  }

  reservationOf(claimUid: string): Reservation | undefined {
    return this.#reservations.get(claimUid);
  }

  volumesIn({ node, pool }: PoolId): number {
    return this.#accounts.get(node)?.get(pool)?.volumes.size ?? 0;
  }

  /** What the agent said last, before anything is taken off. */
  reportOf({ node, pool }: PoolId): PoolReport | undefined {
    return this.#accounts.get(node)?.get(pool)?.report;
  }

  poolsOn(node: string): readonly string[] {
    return [...(this.#accounts.get(node)?.keys() ?? [])];
  }

  /**
   * What can still be given, or nothing where no report is known: unknown is never room.
   *
   * @param except - claims whose own promises do not count against them
   */
  room({ node, pool }: PoolId, except: ReadonlySet<string> = nobody): Room | undefined {
    const account = this.#accounts.get(node)?.get(pool);
    return account && this.#roomOf(account, except);
  }

  /**
   * The same without the search for the pool, for those who ask for thousands of pools at once.
   * Ask for it again after each `setReport` of the pool.
   */
  roomReader({ node, pool }: PoolId): () => Room | undefined {
    // An account lives at least as long as the report in it.
    const account = this.#accounts.get(node)?.get(pool);
    return () => account && this.#roomOf(account, nobody);
  }

  #roomOf(account: Account, except: ReadonlySet<string>): Room | undefined {
    if (except.size > 0) {
      return this.#countRoom(account, except);
    }
    account.room ??= this.#countRoom(account, except);
    return account.room;
  }

  #countRoom({ report, volumes, ...account }: Account, except: ReadonlySet<string>) {
    return report && countRoom(report, volumes.values(), this.#reservedIn(account, except));
  }

  #reservedIn(
    account: Pick<Account, 'reservations'>,
    except: ReadonlySet<string>,
  ): readonly Bytes[] {
    const reserved: Bytes[] = [];
    for (const reservation of account.reservations.values()) {
      if (!except.has(reservation.claimUid) && !this.#isVolume(reservation)) {
        reserved.push(reservation.allocated);
      }
    }
    return reserved;
  }

  #isVolume({ claimUid, node, pool }: Reservation): boolean {
    const volume = this.#volumeOfClaim.get(claimUid);
    return volume?.node === node && volume.pool === pool;
  }

  /** The account of a pool, to be changed. */
  #account({ node, pool }: PoolId): Account {
    let pools = this.#accounts.get(node);
    if (!pools) {
      pools = new Map();
      this.#accounts.set(node, pools);
    }
    let account = pools.get(pool);
    if (!account) {
      account = {
        report: undefined,
        volumes: new Map(),
        reservations: new Map(),
        room: undefined,
      };
      pools.set(pool, account);
    }
    account.room = undefined;
    return account;
  }

  #dropIfEmpty({ node, pool }: PoolId, account: Account): void {
    if (!account.report && account.volumes.size === 0 && account.reservations.size === 0) {
      const pools = this.#accounts.get(node);
      pools?.delete(pool);
      if (pools?.size === 0) {
        this.#accounts.delete(node);
      }
    }
  }
}

function perPool(
  wanted: readonly Reservation[],
): readonly { readonly at: PoolId; readonly sizes: readonly Bytes[] }[] {
  const pools = new Map<string, { at: PoolId; sizes: Bytes[] }>();
  for (const { node, pool, allocated } of wanted) {
    const key = `${node}/${pool}`;
    const one = pools.get(key) ?? { at: { node, pool }, sizes: [] };
    one.sizes.push(allocated);
    pools.set(key, one);
  }
  return [...pools.values()];
}
