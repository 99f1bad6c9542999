import { formatBytes, MiB, type Bytes } from '../../model/bytes.ts';
import { parseQuantity } from '../../model/quantity.ts';
import { err, ok, type Result } from '../../model/result.ts';
import { shown } from '../../model/shown.ts';

const leastPoolBytes = 16 * MiB;

/** Reads the most that a pool may hold. @returns nothing where only its filesystem limits it */
export function parsePoolSize(field: string, size: unknown): Result<Bytes | undefined, string> {
  if (size === undefined) {
    return ok(undefined);
  }
  const text = typeof size === 'number' || typeof size === 'string' ? String(size) : '';
  const parsed = parseQuantity(text);
  if (!parsed.ok) {
    return err(`${field} is ${shown(size)}: a size such as 100Gi is allowed, or nothing`);
  }
  return parsed.value >= leastPoolBytes
    ? parsed
    : err(
        `${field} is ${shown(size)}: at least ${formatBytes(leastPoolBytes as Bytes)} is allowed`,
      );
}
