import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

import type { KeyPair } from './pki.ts';

export type Credentials = KeyPair | { token: string };

/** Writes a kubeconfig with everything inside it, so that it also works where its certificates' files do not. */
export function writeKubeconfig(
  file: string,
  server: string,
  caFile: string,
  credentials: Credentials,
): string {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'berth', cluster: { server, 'certificate-authority-data': base64(caFile) } },
    ],
    users: [{ name: 'berth', user: userOf(credentials) }],
    contexts: [{ name: 'berth', context: { cluster: 'berth', user: 'berth' } }],
    'current-context': 'berth',
  };
  // A program that was started before may be reading it at this moment.
  const fresh = `${file}.${randomUUID()}`;
  writeFileSync(fresh, JSON.stringify(config, null, 2), { mode: 0o600 });
  renameSync(fresh, file);
  return file;
}

function userOf(credentials: Credentials): Record<string, string> {
  if ('token' in credentials) return credentials;
  return {
    'client-certificate-data': base64(credentials.cert),
    'client-key-data': base64(credentials.key),
  };
}

function base64(file: string): string {
  return readFileSync(file).toString('base64');
}
