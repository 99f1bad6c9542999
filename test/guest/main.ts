import { mkdtempSync, rmSync } from 'node:fs';
import { copyFile, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { build } from 'esbuild';

import type { Tally } from '../support/tally-reporter.ts';
import { runInGuest } from './boot.ts';
import { guestFiles, missingPrograms } from './files.ts';

/**
 * Runs tests in a guest, all files in one boot: `main.ts [--tally FILE] [test/vm/NAME.test.ts ...]`. Without names it
 * takes all of `test/vm`. The counts of the tally reporter go to FILE. A file `NAME.bench.ts` measures, and is run only
 * by name: with `--figures FILE` what it has measured goes there.
 */

const root = resolve(import.meta.dirname, '../..');
const limitMs = 40 * 60_000;

const { values, positionals } = parseArgs({
  options: { tally: { type: 'string' }, figures: { type: 'string' } },
  allowPositionals: true,
});

/** Emulated processors are slow in compiling and in opening files: both is done out here. */
async function bundleTests(files: readonly string[], folder: string): Promise<string[]> {
  const support = ['test/support/tally-reporter.ts', 'test/support/full-messages.ts'];
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [...files, ...support],
    outbase: root,
    outdir: join(folder, 'bundle'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    sourcemap: 'inline',
    metafile: true,
    external: ['mocha'],
    logLevel: 'warning',
  });
  // What is left outside is looked for from where the bundle is.
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const entries = Object.entries(metafile.outputs);
  return entries
    .filter(([, { entryPoint }]) => entryPoint !== undefined && files.includes(entryPoint))
    .map(([file]) => relative(folder, resolve(root, file)));
}

function commandFor(tests: readonly string[]): string {
  const mocha = [
    ...['node', '--enable-source-maps', 'node_modules/mocha/bin/mocha.js'],
    ...['--no-config', '--no-package', '--forbid-only', '--timeout', '60000'],
    ...['--require', './bundle/test/support/full-messages.mjs'],
    ...['--reporter', './bundle/test/support/tally-reporter.mjs'],
    ...['--reporter-option', 'file=tally.json', ...tests],
  ];
  const colors = process.stdout.isTTY ? 'FORCE_COLOR=1' : 'NO_COLOR=1';
  return `cd /run/exchange && BERTH_GUEST=1 ${colors} CI=${process.env['CI'] ?? ''} exec ${mocha.join(' ')}\n`;
}

async function chosenTests(): Promise<string[]> {
  const given = positionals.map((file) => relative(root, resolve(file)));
  const names = await readdir(join(root, 'test/vm'), { recursive: true });
  const all = names.filter((name) => name.endsWith('.test.ts')).map((name) => `test/vm/${name}`);
  const benches = names.filter((name) => name.endsWith('.bench.ts'));
  const known = [...all, ...benches.map((name) => `test/vm/${name}`)];
  const unknown = given.filter((file) => !known.includes(file));
  if (unknown.length > 0) {
    throw new Error(
      `${unknown.join(', ')}: only files test/vm/**/*.test.ts and *.bench.ts run in a guest`,
    );
  }
  return given.length > 0 ? given : all.sort();
}

async function runTests(work: string, signal: AbortSignal): Promise<number> {
  const exchange = join(work, 'exchange');
  await mkdir(exchange);
  const tests = await bundleTests(await chosenTests(), exchange);
  const disks = join(work, 'disks');
  const files = await guestFiles();
  const command = commandFor(tests);
  const status = await runInGuest({ files, command, exchange, disks, timeoutMs: limitMs, signal });
  if (values.tally !== undefined) {
    await copyFile(join(exchange, 'tally.json'), values.tally);
  }
  if (values.figures !== undefined && status === 0) {
    await copyFile(join(exchange, 'figures.json'), values.figures);
  }
  return status;
}

/** @returns the exit status */
async function main(): Promise<number> {
  const missing = missingPrograms();
  if (missing.length > 0) {
    console.error(`no guest can run without ${missing.join(', ')}: make prerequisites-guest`);
    if (process.env['CI'] === 'true') return 1;
    if (values.tally !== undefined) {
      const tally: Tally = { passed: 0, failed: 0, pending: 1, failures: [] };
      await writeFile(values.tally, JSON.stringify(tally));
    }
    return 0;
  }
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => interrupt.abort());
  }
  const work = mkdtempSync(join(tmpdir(), 'berth-guest-'));
  try {
    return await runTests(work, interrupt.signal);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return interrupt.signal.aborted ? 130 : 1;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

process.exitCode = await main();
