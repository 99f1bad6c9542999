import { join } from 'node:path';
import type { Finding } from '../../model/health.ts';
import type { HealthReader } from '../../usecases/health-ports.ts';
import { readNumber } from './sys-files.ts';

/** Commands that failed on a SCSI or SATA disk, as the kernel counts them since it met the disk. */
export function scsiErrors(sys = '/sys'): HealthReader {
  const counts = new Map<string, number>();
  return async (devices) => {
    const looks = devices.map(async ({ name, identity }): Promise<readonly Finding[]> => {
      const count = await readNumber(join(sys, 'class/block', name, 'device/ioerr_cnt'));
      if (count === undefined) {
        return [];
      }
      const before = counts.get(identity) ?? count;
      counts.set(identity, count);
      const message = `${count} commands to ${name} have failed since the machine started, ${count - before} of them just now`;
      return count > before ? [{ device: name, reason: 'CommandErrors', message }] : [];
    });
    return (await Promise.all(looks)).flat();
  };
}
