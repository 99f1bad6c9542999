import { formatBytes, type Bytes } from '../../model/bytes.ts';
import { NoSpaceError } from '../../model/errors.ts';
import type { PoolUsage } from '../../usecases/ports.ts';

/** Says in numbers why `needed` bytes cannot be had. @param where - names the pool, for people */
export function tooLittleFor(
  needed: Bytes,
  { free, total }: Pick<PoolUsage, 'free' | 'total'>,
  where: string,
): NoSpaceError {
  return new NoSpaceError(
    `${where} has ${formatBytes(free)} free of ${formatBytes(total)}, ` +
      `${formatBytes(needed)} are needed (${needed - free} bytes more)`,
  );
}
