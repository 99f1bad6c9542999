import { bytes, minusBytes, sumBytes, type Bytes } from '../model/bytes.ts';
import { putIntoSurely, type Pieces } from '../model/pieces.ts';
import type { PoolReport } from '../model/pool.ts';

/** What can still be given out from one pool. */
export interface Room {
  readonly total: Bytes;
  readonly free: Bytes;
  readonly largest: Bytes;
  /** Where volumes cannot be joined from several: what is left for the next ones, as far as known. */
  readonly pieces?: Pieces | undefined;
  /** Promised, or given out and not in a report yet. */
  readonly inFlight: Bytes;
}

/** A volume, as far as room is counted. */
interface Counted {
  readonly allocated: Bytes;
  /** The part of that which it may grow by and does not occupy yet: no report counts it. */
  readonly growth?: Bytes | undefined;
  /** The first report that has counted it; missing while the agent has not said. */
  readonly seenIn?: number | undefined;
}

/**
 * What is left of a pool:
 *
 *     free = min(report.free - volumes the report has not counted,
 *                total - all volumes) - reservations
 */
export function countRoom(
  report: PoolReport,
  volumes: Iterable<Counted>,
  reservations: readonly Bytes[],
): Room {
  let given = 0;
  const unseen: Bytes[] = [];
  for (const { allocated, growth, seenIn } of volumes) {
    given += allocated;
    if (seenIn === undefined || seenIn > report.generation) {
      unseen.push(allocated);
    } else if (growth !== undefined && growth > 0) {
      unseen.push(growth);
    }
  }
  const promised = [...unseen, ...reservations];
  const inFlight = sumBytes(promised);
  const left = Math.min(report.free - sumBytes(unseen), report.total - given);
  const free = minusBytes(bytes(Math.max(0, left)), sumBytes(reservations));
  const room = { total: report.total, free, inFlight };
  if (report.pieces) {
    return inPieces(room, putIntoSurely(report.pieces, promised));
  }
  // Where the volumes in flight will lie is not known: the worst place is assumed.
  const largest = bytes(Math.min(free, minusBytes(report.largest, inFlight)));
  return { ...room, largest };
}

function inPieces(room: Omit<Room, 'largest'>, pieces: Pieces): Room {
  const free = pieces.whole ? bytes(Math.min(room.free, sumBytes(pieces.sizes))) : room.free;
  const largest = bytes(Math.min(free, pieces.sizes[0] ?? 0));
  return { ...room, free, largest, pieces };
}
