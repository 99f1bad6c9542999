import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';

/** What happens to the process at a point: ended, frozen until somebody wakes it, or an error. */
export type Fault = 'kill' | 'pause' | 'fail';

/** The content of the file that arms a point. */
export interface ArmedPoint {
  /** Tells one arming from the next. */
  readonly id: string;
  readonly fault: Fault;
  /** How many passings it takes, counted in one process: 1 is the next. */
  readonly passing: number;
}

/** Named places of the program at which a test may end, freeze or fail it. */
export interface FaultPoints {
  /** Returns at once, unless the point is armed. @throws Error where a failure was asked for */
  pass(point: string): void;
}

/**
 * Points that are armed by files of `directory`: `armed/<point>` holds an `ArmedPoint`. The process
 * that takes one moves the file to `taken/<id>.<pid>`, so exactly one does, and it is known which.
 *
 * Everything is synchronous: nothing else of the process can run between point and fault.
 *
 * @returns nothing where there is no directory, as everywhere but in tests
 */
export function faultPoints(directory: string | undefined): FaultPoints | undefined {
  if (directory === undefined) {
    return undefined;
  }
  const passings = new Map<string, number>();
  return {
    pass: (point) => {
      const file = join(directory, 'armed', point);
      const armed = readArmed(file);
      if (armed === undefined) {
        return;
      }
      const { id, fault, passing } = armed;
      const count = (passings.get(id) ?? 0) + 1;
      passings.set(id, count);
      if (count >= passing && take(file, join(directory, 'taken', `${id}.${process.pid}`))) {
        suffer(fault, point);
      }
    },
  };
}

function readArmed(file: string): ArmedPoint | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ArmedPoint;
  } catch {
    return undefined;
  }
}

function take(file: string, taken: string): boolean {
  try {
    renameSync(file, taken);
    return true;
  } catch {
    // Another process was quicker, or the point is not armed any more.
    return false;
  }
}

function suffer(fault: Fault, point: string): void {
  switch (fault) {
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      return;
    case 'pause':
      process.kill(process.pid, 'SIGSTOP');
      return;
    case 'fail':
      throw new Error(`fault point ${point}: a failure was asked for`);
  }
}
