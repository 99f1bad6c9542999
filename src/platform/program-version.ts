import { readFile } from 'node:fs/promises';
import { ifThere } from './files.ts';

/** The version of this program, as its package says. */
export async function programVersion(): Promise<string> {
  // From dist, where all files are beside each other, and from src/platform.
  for (const path of ['../package.json', '../../package.json']) {
    const text = await ifThere(readFile(new URL(path, import.meta.url), 'utf8'));
    if (text !== undefined) {
      return (JSON.parse(text) as { version: string }).version;
    }
  }
  return 'unknown';
}
