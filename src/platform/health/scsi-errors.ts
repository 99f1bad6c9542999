import { join } from 'node:path';
import type { Finding } from '../../model/health.ts';
import type { HealthReader } from '../../usecases/health-ports.ts';
import { readNumber } from './sys-files.ts';

/** Programs that ask a disk for SMART make it fail some commands, and are done sooner. */
const leastMs = 10_000;

/** Commands that go on failing on a SCSI or SATA disk, as the kernel counts them since it met the disk. */
export function scsiErrors(sys = '/sys'): HealthReader {
  const counts = new Map<string, number>();
  const growingSince = new Map<string, number>();

  /** @returns for how long, without a break, each look has found more */
  function growingMs(identity: string, count: number, now: number): number | undefined {
    const before = counts.get(identity) ?? count;
    counts.set(identity, count);
    const since = count > before ? (growingSince.get(identity) ?? now) : undefined;
    if (since === undefined) {
      growingSince.delete(identity);
      return undefined;
    }
    growingSince.set(identity, since);
    return now - since;
  }

  return async (devices, now) => {
    const looks = devices.map(async ({ name, identity }): Promise<readonly Finding[]> => {
      const count = await readNumber(join(sys, 'class/block', name, 'device/ioerr_cnt'));
      const ms = count === undefined ? undefined : growingMs(identity, count, now);
      const message = `commands to ${name} go on failing: ${count} since the machine started`;
      return ms !== undefined && ms >= leastMs
        ? [{ device: name, reason: 'CommandErrors', message }]
        : [];
    });
    return (await Promise.all(looks)).flat();
  };
}
