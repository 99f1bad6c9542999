import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

export interface Tally {
  passed: number;
  failed: number;
  pending: number;
}

/** Mocha's usual output, and the counts in the file of the option `file`. */
export default class TallyReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const { file } = options.reporterOptions as { file: string };
    runner.once('end', () => {
      const { passes = 0, failures = 0, pending = 0 } = runner.stats ?? {};
      const tally: Tally = { passed: passes, failed: failures, pending };
      writeFileSync(file, JSON.stringify(tally));
    });
  }
}
