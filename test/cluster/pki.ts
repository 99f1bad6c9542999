import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { runCommand } from './run-command.ts';

/** Files of one certificate and its key. */
export interface KeyPair {
  cert: string;
  key: string;
}

export interface Authority extends KeyPair {
  dir: string;
}

export interface Subject {
  /** File name without ending. */
  name: string;
  /** User name of a client certificate. */
  commonName: string;
  /** Group of a client certificate. */
  organization?: string;
  /** DNS names and IP addresses of a server certificate. */
  hosts?: readonly string[];
}

/** Makes the folder `dir` with a certificate authority of its own in it. */
export async function createAuthority(dir: string): Promise<Authority> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  // openssl wants a configuration even if everything is said on its command line.
  writeFileSync(join(dir, 'openssl.cnf'), '[req]\ndistinguished_name = dn\n[dn]\n');
  const pair = pairNamed(dir, 'ca');
  await request(dir, pair, [
    ...['-subj', '/CN=berth-test-ca'],
    ...['-addext', 'basicConstraints=critical,CA:TRUE'],
    ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign,digitalSignature'],
  ]);
  return { ...pair, dir };
}

/** A certificate for clients and servers, signed by the authority. */
export async function issueCertificate(authority: Authority, subject: Subject): Promise<KeyPair> {
  const pair = pairNamed(authority.dir, subject.name);
  const organization = subject.organization ? `/O=${subject.organization}` : '';
  await request(authority.dir, pair, [
    ...['-CA', authority.cert, '-CAkey', authority.key],
    ...['-subj', `${organization}/CN=${subject.commonName}`],
    ...['-addext', 'basicConstraints=critical,CA:FALSE'],
    ...['-addext', 'keyUsage=critical,digitalSignature,keyEncipherment'],
    ...['-addext', 'extendedKeyUsage=clientAuth,serverAuth'],
    ...alternativeNames(subject.hosts ?? []),
  ]);
  return pair;
}

/** The key that signs service account tokens: a private file and its public half. */
export async function createTokenKey(dir: string): Promise<KeyPair> {
  const pair = { key: join(dir, 'tokens.key'), cert: join(dir, 'tokens.pub') };
  await runCommand('openssl', [
    ...['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    ...['-out', pair.key],
  ]);
  await runCommand('openssl', ['pkey', '-in', pair.key, '-pubout', '-out', pair.cert]);
  return pair;
}

// Elliptic keys: made in a millisecond, where RSA takes a noticeable part of the start of a cluster.
function request(dir: string, pair: KeyPair, args: readonly string[]): Promise<string> {
  return runCommand('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-config', join(dir, 'openssl.cnf'), '-days', '3650'],
    ...['-keyout', pair.key, '-out', pair.cert],
    ...args,
  ]);
}

function pairNamed(dir: string, name: string): KeyPair {
  return { cert: join(dir, `${name}.crt`), key: join(dir, `${name}.key`) };
}

function alternativeNames(hosts: readonly string[]): string[] {
  if (hosts.length === 0) return [];
  const names = hosts.map((host) => (/^[\d.]+$/.test(host) ? `IP:${host}` : `DNS:${host}`));
  return ['-addext', `subjectAltName=${names.join(',')}`];
}
