import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { faultDirectoryVariable } from '../../src/commands/fault-steps.ts';
import type { ArmedPoint } from '../../src/platform/fault-points.ts';
import { waitFor } from '../cluster/wait.ts';

/** Where fault points are armed, for processes that are started with `env`. May be opened again. */
export class FaultFolder {
  readonly env: Readonly<Record<string, string>>;
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.env = { [faultDirectoryVariable]: directory };
    for (const folder of ['armed', 'taken'])
      mkdirSync(join(directory, folder), { recursive: true });
  }

  /** Whoever passes the point next is killed, if nothing else is said. */
  arm(point: string, fault: Partial<ArmedPoint> = {}): void {
    const content: ArmedPoint = { id: point, fault: 'kill', passing: 1, ...fault };
    const fresh = join(this.#directory, content.id);
    // Whole or not at all: a reader may come at any moment.
    writeFileSync(fresh, JSON.stringify(content));
    renameSync(fresh, this.#fileOf(point));
  }

  disarm(point: string): void {
    rmSync(this.#fileOf(point), { force: true });
  }

  /** Which points were hit since the last call, and by whom. */
  collect(): readonly { readonly id: string; readonly pid: number }[] {
    return this.#taken().map((name) => {
      rmSync(join(this.#directory, 'taken', name));
      return { id: idIn(name), pid: Number(name.slice(idIn(name).length + 1)) };
    });
  }

  /** Resolves when a process has come upon what was armed with this id. */
  async reached(id: string): Promise<void> {
    await waitFor(`fault ${id}`, async () => this.#taken().map(idIn).includes(id), {
      ...{ timeoutMs: 30_000, intervalMs: 20 },
    });
  }

  #taken(): readonly string[] {
    return readdirSync(join(this.#directory, 'taken'));
  }

  #fileOf(point: string): string {
    return join(this.#directory, 'armed', point);
  }
}

/** A file of a point that was hit is named `<id>.<pid>`; ids may have dots. */
function idIn(name: string): string {
  return name.slice(0, name.lastIndexOf('.'));
}
