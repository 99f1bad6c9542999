import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError } from '../../model/errors.ts';
import type { Finding } from '../../model/health.ts';
import { judgeSmart, type SmartFacts } from '../../model/smart.ts';
import type { BlockDevice, HealthProbe } from '../../usecases/health-ports.ts';
import type { Log } from '../../usecases/ports.ts';
import { CommandError, type RunCommand } from '../run-command.ts';
import { rarely, type RareAnswer } from './rarely.ts';
import { parseSmartReport, sleepStatus, type SmartReport } from './smart-report.ts';

export interface SmartParts {
  readonly run: RunCommand;
  readonly log: Log;
  /** How often a disk is asked; milliseconds. */
  readonly everyMs: number;
  readonly sys?: string;
}

/** A disk that does not answer holds up the others no longer. */
const patienceMs = 60_000;

/** What disks say of themselves. One that sleeps is left asleep; one without SMART is asked once. */
export function smart({ run, log, everyMs, sys = '/sys' }: SmartParts): HealthProbe {
  const probe = rarely(everyMs);
  /** Disks that have answered before, by identity. */
  const answering = new Set<string>();
  let isMissing = false;

  async function report(name: string): Promise<SmartReport> {
    const questions = ['--info', '--health', '--attributes', `--nocheck=standby,${sleepStatus}`];
    const args = ['--json=c', ...questions, `/dev/${name.replaceAll('!', '/')}`];
    try {
      return parseSmartReport(await run('smartctl', args, AbortSignal.timeout(patienceMs)), 0);
    } catch (error) {
      if (error instanceof CommandError && error.exitCode !== undefined) {
        return parseSmartReport(error.stdout, error.exitCode);
      }
      noticeMissing(error);
      return isMissing ? { kind: 'none' } : { kind: 'unreadable', why: describeError(error) };
    }
  }

  function noticeMissing(error: unknown): void {
    if (describeError(error).includes('ENOENT')) {
      isMissing = true;
      log.warn('disks are not asked for SMART: the program smartctl is not there', {});
    }
  }

  async function ask({ name, identity }: BlockDevice): Promise<RareAnswer> {
    if (isMissing || !(await isReal(sys, name))) {
      return { findings: [], next: 'never' };
    }
    const told = await report(name);
    const unread = (why: string): RareAnswer => ({
      findings: [{ ...about(name, 'SmartUnreadable'), message: `SMART of ${name}: ${why}` }],
      next: 'soon',
    });
    switch (told.kind) {
      case 'read':
        answering.add(identity);
        return answer(name, told.facts);
      case 'unreadable':
        return unread(told.why);
      case 'closed':
        // Whoever never answered is behind a controller that hides it, or a device of another kind.
        return answering.has(identity) ? unread(told.why) : { findings: [], next: 'never' };
      case 'asleep':
        return { findings: [], next: 'usual' };
      case 'none':
        return { findings: [], next: 'never' };
    }
  }

  return (devices, { now, hinted }) =>
    probe(
      devices
        .filter(({ isDisk }) => isDisk)
        .map((device) => ({
          key: device.identity,
          isHinted: hinted.has(device.name),
          ask: () => ask(device),
        })),
      now,
    );
}

/** Behind it stands hardware, or what looks like it; not so behind what the kernel makes up itself. */
async function isReal(sys: string, name: string): Promise<boolean> {
  const path = join(sys, 'class/block', name, 'device');
  return access(path).then(
    () => true,
    () => false,
  );
}

function about(device: string, reason: Finding['reason']): Finding {
  return { device, reason };
}

function answer(name: string, facts: SmartFacts): RareAnswer {
  const { failed, warning } = judgeSmart(facts);
  const says = (text: string | undefined): string | undefined => text && `${name} says: ${text}`;
  return {
    findings: [
      { ...about(name, 'SmartFailed'), message: says(failed) },
      { ...about(name, 'SmartWarning'), message: says(warning) },
      about(name, 'SmartUnreadable'),
    ],
    next: failed === undefined && warning === undefined ? 'usual' : 'soon',
  };
}
