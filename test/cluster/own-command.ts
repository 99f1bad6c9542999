import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The command line that runs this harness's own main program in another process. */
export function ownCommand(args: readonly string[]): [string, ...string[]] {
  const main = join(import.meta.dirname, 'main.ts');
  // Not import.meta.resolve: test runners load this file in ways that do not have it.
  const loader = pathToFileURL(createRequire(main).resolve('tsx')).href;
  return [process.execPath, '--import', loader, main, ...args];
}
