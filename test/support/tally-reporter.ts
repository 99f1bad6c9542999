import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

export interface Tally {
  passed: number;
  failed: number;
  pending: number;
  /** One text per failed test or hook: its whole title, and below it what it said. */
  failures: string[];
}

/** Mocha's usual output, and the counts in the file of the option `file`. */
export default class TallyReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const { file } = options.reporterOptions as { file: string };
    const failures: string[] = [];
    runner.on('fail', (test, error: unknown) => {
      failures.push(`${test.titlePath().join(' > ')}\n    ${said(error)}`);
    });
    runner.once('end', () => {
      const { passes = 0, failures: failed = 0, pending = 0 } = runner.stats ?? {};
      const tally: Tally = { passed: passes, failed, pending, failures };
      writeFileSync(file, JSON.stringify(tally));
    });
  }
}

/** The stack begins with the message, and names the line of the test. */
function said(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
