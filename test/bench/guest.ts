import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Figure, Figures } from './figures.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');

/** LVM needs the kernel of the guest: it is measured there. */
export async function measureInGuest(_ground: unknown, figures: Figures): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-bench-'));
  try {
    const file = join(folder, 'figures.json');
    const command = ['test/guest/main.ts', '--figures', file, 'test/vm/lvm.bench.ts'];
    await run(process.execPath, ['--import', 'tsx', ...command], { cwd: root });
    figures.take(JSON.parse(readFileSync(file, 'utf8')) as Figure[]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
