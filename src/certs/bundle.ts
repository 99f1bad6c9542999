import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { err, ok, type Result } from '../model/result.ts';
import type { CertificatePair } from './issue.ts';
import type { PairFacts, Validity } from './rotate.ts';

/** All that is kept in the Secret. */
export interface Bundle {
  readonly authority: CertificatePair;
  /** Every authority that callers must trust, PEM; the present one first. */
  readonly trusted: string;
  readonly server: CertificatePair;
}

/** The keys of the Secret; the last two are those of the type kubernetes.io/tls. */
const fields = ['ca.crt', 'ca.key', 'tls.crt', 'tls.key'] as const;

export type BundleTexts = Readonly<Record<string, string>>;

export function toTexts({ authority, trusted, server }: Bundle): BundleTexts {
  return {
    'ca.crt': trusted,
    'ca.key': authority.key,
    'tls.crt': server.cert,
    'tls.key': server.key,
  };
}

/** @returns the bundle, or a text that names the first field that cannot be used, and why */
export function parseBundle(texts: BundleTexts): Result<Bundle, string> {
  const missing = fields.find((field) => (texts[field] ?? '') === '');
  if (missing !== undefined) {
    return err(`${missing} is missing`);
  }
  const [trusted = '', caKey = '', cert = '', key = ''] = fields.map((field) => texts[field]);
  const [caCert = ''] = splitPem(trusted);
  const authority = parsePair('ca', { cert: caCert, key: caKey });
  if (!authority.ok) {
    return authority;
  }
  const server = parsePair('tls', { cert, key });
  if (!server.ok) {
    return server;
  }
  return server.value.verify(authority.value.publicKey)
    ? ok({ authority: { cert: caCert, key: caKey }, trusted, server: { cert, key } })
    : err('tls.crt is not signed by the first certificate of ca.crt');
}

/** Reads a certificate and checks that the key is its own. */
export function parsePair(
  name: string,
  { cert, key }: CertificatePair,
): Result<X509Certificate, string> {
  let certificate: X509Certificate;
  let privateKey: KeyObject;
  try {
    certificate = new X509Certificate(cert);
  } catch (error) {
    return err(`${name}.crt is not a PEM certificate: ${(error as Error).message}`);
  }
  try {
    privateKey = createPrivateKey(key);
  } catch (error) {
    return err(`${name}.key is not a PEM private key: ${(error as Error).message}`);
  }
  return certificate.checkPrivateKey(privateKey)
    ? ok(certificate)
    : err(`${name}.key does not belong to ${name}.crt`);
}

/** @param names - host names and IP addresses under which the server is called */
export function factsOf({ authority, server }: Bundle, names: readonly string[]): PairFacts {
  const shown = new X509Certificate(server.cert);
  return {
    authority: validityOf(authority.cert),
    server: validityOf(server.cert),
    namesCovered: names.every(
      (name) => (isIP(name) === 0 ? shown.checkHost(name) : shown.checkIP(name)) !== undefined,
    ),
  };
}

export function validityOf(cert: string): Validity {
  const { validFrom, validTo } = new X509Certificate(cert);
  return { from: Date.parse(validFrom), until: Date.parse(validTo) };
}

/** The host names and addresses a certificate is good for. */
export function namesOf(cert: string): readonly string[] {
  const listed = new X509Certificate(cert).subjectAltName ?? '';
  return listed
    .split(', ')
    .map((entry) => entry.replace(/^(DNS|IP Address):/, ''))
    .filter((name) => name !== '');
}

/** The certificates of a PEM text, one by one. */
export function splitPem(pem: string): readonly string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];
}
