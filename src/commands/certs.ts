import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { issueAuthority, issueServerCertificate } from '../certs/issue.ts';
import type { certsSettings } from '../config/certs-settings.ts';
import { UsageError, type Run } from './command.ts';

/** Certificates for a webhook that runs outside a cluster; inside, `berth webhook` makes its own. */
export const certs: Run<typeof certsSettings> = async (given, { out }) => {
  const { out: directory, dns, ip } = given;
  const names = [...dns, ...ip];
  if (names.length === 0) {
    throw new UsageError('--dns and --ip are both empty: at least one name is needed');
  }
  const now = Date.now();
  const authority = await issueAuthority(now);
  const server = await issueServerCertificate(authority, names, now);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'ca.crt'), authority.cert);
  await writeFile(join(directory, 'tls.crt'), server.cert);
  await writeFile(join(directory, 'tls.key'), server.key, { mode: 0o600 });
  out(`${directory}: ca.crt, tls.crt and tls.key for ${names.join(', ')}`);
  out(`caBundle: ${Buffer.from(authority.cert).toString('base64')}`);
};
