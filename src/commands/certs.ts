import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { issueAuthority, issueServerCertificate } from '../certs/issue.ts';
import { list, text } from '../config/setting-kinds.ts';
import { readSettings } from '../config/settings.ts';
import { UsageError, type Command } from './command.ts';

const settings = {
  out: text({ help: 'directory for ca.crt, tls.crt and tls.key', shown: '<directory>' }),
  dns: list({ help: 'host names of the server', shown: '<name,...>', fallback: 'localhost' }),
  ip: list({ help: 'IP addresses of the server', shown: '<address,...>', fallback: '127.0.0.1' }),
};

/** Certificates for a webhook that runs outside a cluster; inside, `berth webhook` makes its own. */
export const certs: Command = {
  summary: 'make certificates for a webhook on your own machine',
  settings,
  run: async ({ args, env, out }) => {
    const given = readSettings(settings, args, env);
    if (!given.ok) {
      throw new UsageError(given.error.join('\n'));
    }
    const { out: directory, dns, ip } = given.value;
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
  },
};
