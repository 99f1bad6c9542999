import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Tally } from './support/tally-reporter.ts';

/**
 * Runs the suites one after another, all of them whatever fails, and prints the sum. What failed is told again at the
 * very end, where it is found without reading the output of a whole run.
 */

const suites = [
  'unit',
  'simulation',
  'backends',
  'vm',
  'harness',
  'integration',
  'e2e',
  'chaos',
] as const;
const reporter = join(import.meta.dirname, 'support/tally-reporter.ts');

function commandOf(suite: string, file: string): [string, string[]] {
  if (suite === 'vm') {
    return [process.execPath, ['--import', 'tsx', 'test/guest/main.ts', '--tally', file]];
  }
  const args = ['mocha', '--reporter', reporter, '--reporter-option', `file=${file}`];
  return ['npx', [...args, `test/${suite}/**/*.test.ts`]];
}

async function runSuite(suite: string, file: string): Promise<Tally> {
  console.log(`\n=== ${suite}`);
  const [program, args] = commandOf(suite, file);
  const child = spawn(program, args, { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Tally;
  } catch {
    const early = `the suite ${suite} ended with status ${String(code)} before its tests had`;
    return { passed: 0, failed: 1, pending: 0, failures: [early] };
  }
}

const asked = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'berth-tally-'));
const total: Tally = { passed: 0, failed: 0, pending: 0, failures: [] };
const minutes: string[] = [];
for (const suite of asked.length > 0 ? asked : suites) {
  const started = Date.now();
  const tally = await runSuite(suite, join(folder, `${suite}.json`));
  minutes.push(`${suite} ${((Date.now() - started) / 60_000).toFixed(1)}`);
  total.passed += tally.passed;
  total.failed += tally.failed;
  total.pending += tally.pending;
  total.failures.push(...tally.failures.map((failure) => `${suite}: ${failure}`));
}
rmSync(folder, { recursive: true });
if (process.env['CI'] === 'true' && total.pending > 0) {
  total.failures.push(`${total.pending} test(s) were skipped: with CI=true that is a failure`);
  total.failed += total.pending;
}
console.log(`\nminutes: ${minutes.join(', ')}`);
for (const failure of total.failures) {
  console.log(`\nFAILED ${failure}`);
}
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
