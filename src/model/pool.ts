import { isBytes, type Bytes } from './bytes.ts';
import { mostPieces, piecesOf, type Pieces } from './pieces.ts';
import { err, ok, type Result } from './result.ts';
import { shown } from './shown.ts';

/** What an agent says of one pool of its node. */
export interface PoolReport {
  /** What the pool can hold in all, after the backend's own overhead and the reserve. */
  readonly total: Bytes;
  readonly free: Bytes;
  /** The biggest single volume that still fits. */
  readonly largest: Bytes;
  /** Missing where a volume can be joined from all that is free. */
  readonly pieces?: Pieces | undefined;
  /** Grows with every report of the node; tells which volumes this report has counted. */
  readonly generation: number;
  readonly healthy: boolean;
}

/**
 * Reads the value of a `capacity.berth.dev/<pool>` annotation.
 *
 * @returns the report, or a text that names the field, its value and what is allowed. An
 * unreadable report never counts as room.
 */
export function parsePoolReport(text: string): Result<PoolReport, string> {
  const parsed = parseJsonObject(text);
  if (!parsed.ok) {
    return parsed;
  }
  const { total, free, largest, generation, healthy } = parsed.value;
  for (const [field, value] of Object.entries({ total, free, largest, generation })) {
    if (!isBytes(value)) {
      return err(`${field} is ${shown(value)}: a whole number from 0 to 2^53 - 1 is allowed`);
    }
  }
  if (typeof healthy !== 'boolean') {
    return err(`healthy is ${shown(healthy)}: true or false is allowed`);
  }
  const pieces = parsePieces(parsed.value);
  if (!pieces.ok) {
    return pieces;
  }
  const report = {
    ...{ total, free, largest, generation, healthy },
    ...(pieces.value && { pieces: pieces.value }),
  } as PoolReport;
  if (report.free > report.total || report.largest > report.total) {
    return err(
      `free ${report.free} and largest ${report.largest} must not exceed total ${report.total}`,
    );
  }
  return ok(report);
}

function parsePieces({
  pieces,
  whole = false,
}: Record<string, unknown>): Result<Pieces | undefined, string> {
  if (pieces === undefined) {
    return ok(undefined);
  }
  if (typeof whole !== 'boolean') {
    return err(`whole is ${shown(whole)}: true or false is allowed`);
  }
  const isList = Array.isArray(pieces) && pieces.length <= mostPieces && pieces.every(isBytes);
  return isList
    ? ok(piecesOf(pieces, whole))
    : err(`pieces is ${shown(pieces)}: a list of at most ${mostPieces} sizes is allowed`);
}

/** The annotation's text. Keys stand in a fixed order, so equal reports are equal texts. */
export function formatPoolReport(report: PoolReport): string {
  const { total, free, largest, generation, healthy, pieces } = report;
  const cut = pieces && { pieces: pieces.sizes, ...(pieces.whole && { whole: true }) };
  return JSON.stringify({ total, free, largest, generation, healthy, ...cut });
}

function parseJsonObject(text: string): Result<Record<string, unknown>, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return err(`${shown(text)} is not JSON`);
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? ok(value as Record<string, unknown>)
    : err(`${shown(value)} is not a JSON object`);
}
