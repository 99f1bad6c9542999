import { readFile } from 'node:fs/promises';
import { parsePair } from './bundle.ts';
import type { Shown } from './keep-certificate.ts';

/**
 * Reads a certificate and its key from files that somebody else renews.
 *
 * @throws when they cannot be used, which passes by itself where only one of the two has been
 * written so far
 */
export async function readCertificateFiles(certFile: string, keyFile: string): Promise<Shown> {
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  const pair = parsePair('tls', { cert, key });
  if (!pair.ok) {
    throw new Error(`${certFile} and ${keyFile}: ${pair.error}`);
  }
  return { server: { cert, key } };
}
