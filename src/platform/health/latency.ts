import { join } from 'node:path';
import type { Finding } from '../../model/health.ts';
import {
  judgeLatency,
  nothingUsual,
  type IoCounts,
  type UsualLatency,
} from '../../model/latency.ts';
import type { BlockDevice, HealthReader } from '../../usecases/health-ports.ts';
import { readText } from './sys-files.ts';

interface Seen {
  readonly counts: IoCounts;
  readonly at: number;
  readonly usual: UsualLatency;
}

/** Devices that answer much slower than they used to. Of several on one another, the lowest is named. */
export function slowDevices(sys = '/sys'): HealthReader {
  /** By identity. */
  let seen: ReadonlyMap<string, Seen> = new Map();

  return async (devices, now) => {
    const next = new Map<string, Seen>();
    const slow = new Map<string, string>();
    await Promise.all(
      devices.filter(isMeasured).map(async ({ name, identity }) => {
        const counts = await readCounts(join(sys, 'class/block', name, 'stat'));
        if (counts === undefined) {
          return;
        }
        const before = seen.get(identity) ?? { counts, at: now, usual: nothingUsual };
        const look = judgeLatency([before.counts, counts], now - before.at, before.usual);
        next.set(identity, { counts, at: now, usual: look.usual });
        if (look.slow !== undefined) {
          slow.set(name, look.slow);
        }
      }),
    );
    seen = next;
    const byName = new Map(devices.map((device) => [device.name, device]));
    return [...slow]
      .filter(([name]) => !isSlowBelow(name, byName, slow))
      .map(([device, text]): Finding => ({
        ...{ device, reason: 'Slow', message: `${device} is slow: ${text}` },
      }));
  };
}

/** Disks, and what device-mapper puts on them. What a file of a loop device waits for is not its own. */
function isMeasured({ name, isDisk }: BlockDevice): boolean {
  return (isDisk && !/^z?ram\d/.test(name)) || name.startsWith('dm-');
}

function isSlowBelow(
  name: string,
  devices: ReadonlyMap<string, BlockDevice>,
  slow: ReadonlyMap<string, string>,
): boolean {
  const below = devices.get(name)?.below ?? [];
  return below.some((each) => slow.has(each) || isSlowBelow(each, devices, slow));
}

const sectorBytes = 512;

/** The fields are in Documentation/block/stat.rst of the kernel; discards are there since 4.18. */
async function readCounts(path: string): Promise<IoCounts | undefined> {
  const fields = ((await readText(path)) ?? '').split(/\s+/).map(Number);
  if (fields.length < 11 || !fields.every(Number.isFinite)) {
    return undefined;
  }
  const at = (index: number): number => fields[index] ?? 0;
  return {
    ios: at(0) + at(4),
    bytes: (at(2) + at(6)) * sectorBytes,
    waitMs: at(3) + at(7),
    inFlight: at(8),
    busyMs: at(9),
    discards: at(11),
  };
}
