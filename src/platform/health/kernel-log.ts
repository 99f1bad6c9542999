import { constants, openSync, readSync } from 'node:fs';
import type { Finding } from '../../model/health.ts';
import type { BlockDevice, HealthReader } from '../../usecases/health-ports.ts';
import { errorCode } from '../files.ts';
import { parseLogRecord, parseLogText, type LogNews } from './kernel-log-lines.ts';

/** Each read gives one record, and fails where it does not fit. */
const recordBytes = 8192;
/** A log that is flooded must not hold up the agent; the rest is read at the next look. */
const mostRecords = 20_000;

/** The lines that the kernel has written since the last call; none at the first one. */
export type KernelLog = () => readonly string[];

/** Reads /dev/kmsg without waiting. Where it cannot be opened there are no lines. */
export function kernelLog(path = '/dev/kmsg'): KernelLog {
  let file: number | undefined;
  const buffer = Buffer.alloc(recordBytes);

  /** @returns nothing where there is no more, an empty text where records were lost */
  function next(from: number): string | undefined {
    try {
      const length = readSync(from, buffer, 0, recordBytes, null);
      return length === 0 ? undefined : buffer.toString('utf8', 0, length);
    } catch (error) {
      // EPIPE: the kernel has overwritten the next record; it goes on after that.
      return errorCode(error) === 'EPIPE' || errorCode(error) === 'EINVAL' ? '' : undefined;
    }
  }

  function drain(from: number, most: number): readonly string[] {
    const lines: string[] = [];
    for (let reads = 0; reads < most; reads += 1) {
      const record = next(from);
      if (record === undefined) {
        break;
      }
      const line = parseLogRecord(record)?.text;
      if (line !== undefined) {
        lines.push(line);
      }
    }
    return lines;
  }

  function open(): void {
    try {
      file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      // Nobody knows which device had a name when an old line was written.
      drain(file, Infinity);
    } catch {
      file = undefined;
    }
  }

  return () => {
    if (file === undefined) {
      open();
      return [];
    }
    return drain(file, mostRecords);
  };
}

/** I/O errors and filesystems that have shut down, as the kernel's log tells them. */
export function kernelMessages(log: KernelLog): HealthReader {
  /** By the identity of the device: what the kernel wrote. */
  const shutDown = new Map<string, string>();

  function take(device: BlockDevice, { what }: LogNews, line: string): readonly Finding[] {
    const { name, identity } = device;
    if (what === 'Mounted') {
      shutDown.delete(identity);
      return [];
    }
    const message = `the kernel says of ${name}: ${line.slice(0, 300)}`;
    if (what === 'FilesystemShutDown') {
      shutDown.set(identity, message);
      return [];
    }
    return [{ device: name, reason: what, message }];
  }

  return async (devices) => {
    const found = log().flatMap((line) => {
      const news = parseLogText(line);
      const meant = news === undefined ? [] : devices.filter((device) => isMeant(device, news));
      return meant.flatMap((device) => (news === undefined ? [] : take(device, news, line)));
    });
    const standing = devices.map(({ name, identity }): Finding => {
      const message = shutDown.get(identity);
      return { device: name, reason: 'FilesystemShutDown', message };
    });
    return [...found, ...standing];
  };
}

/** By name or number. A controller speaks for all its namespaces: `nvme0` for `nvme0n1`. */
function isMeant({ name, number }: BlockDevice, { device }: LogNews): boolean {
  return (
    name === device ||
    number === device ||
    (device.startsWith('nvme') && name.startsWith(`${device}n`))
  );
}
