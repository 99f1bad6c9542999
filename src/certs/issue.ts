import forge from 'node-forge';
import { generateKeyPair, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { promisify } from 'node:util';
import { authorityLifetimeMs, clockSkewMs, serverLifetimeMs } from './rotate.ts';

/** A certificate and its private key, both PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

const { pki } = forge;

/**
 * A new authority, able to sign server certificates and nothing else below them.
 *
 * Its name holds a part of its serial number: a verifier that trusts an old and a new authority
 * at the same time tells them apart by name.
 */
export async function issueAuthority(now: number): Promise<CertificatePair> {
  const keys = await newKeyPair();
  const certificate = blankCertificate(now, authorityLifetimeMs);
  const name = [
    { shortName: 'CN', value: `berth authority ${certificate.serialNumber.slice(-8)}` },
  ];
  certificate.publicKey = pki.publicKeyFromPem(keys.publicKey);
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
    { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
    { name: 'subjectKeyIdentifier' },
  ]);
  return sign(certificate, keys.privateKey, keys.privateKey);
}

/**
 * @param names - host names and IP addresses under which the server is called; the first is its
 * common name
 */
export async function issueServerCertificate(
  authority: CertificatePair,
  names: readonly string[],
  now: number,
): Promise<CertificatePair> {
  const keys = await newKeyPair();
  const issuer = pki.certificateFromPem(authority.cert);
  const certificate = blankCertificate(now, serverLifetimeMs);
  certificate.publicKey = pki.publicKeyFromPem(keys.publicKey);
  // A common name longer than 64 characters is not legal; verifiers read only the names below.
  certificate.setSubject([{ shortName: 'CN', value: (names[0] ?? 'berth').slice(0, 64) }]);
  certificate.setIssuer(issuer.subject.attributes);
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: false },
    { name: 'keyUsage', critical: true, digitalSignature: true, keyEncipherment: true },
    { name: 'extKeyUsage', serverAuth: true },
    { name: 'subjectAltName', altNames: names.map(toAltName) },
    { name: 'subjectKeyIdentifier' },
    {
      name: 'authorityKeyIdentifier',
      keyIdentifier: issuer.generateSubjectKeyIdentifier().getBytes(),
    },
  ]);
  return sign(certificate, keys.privateKey, authority.key);
}

/** The numbers of a GeneralName: 2 is a DNS name, 7 an IP address (RFC 5280, 4.2.1.6). */
function toAltName(name: string): object {
  return isIP(name) === 0 ? { type: 2, value: name } : { type: 7, ip: name };
}

function blankCertificate(now: number, lifetimeMs: number): forge.pki.Certificate {
  const certificate = pki.createCertificate();
  certificate.serialNumber = newSerialNumber();
  certificate.validity.notBefore = new Date(now - clockSkewMs);
  certificate.validity.notAfter = new Date(now + lifetimeMs);
  return certificate;
}

/** 128 random bits as hex. The first byte is 0x40..0x7f: the number is positive and never short. */
function newSerialNumber(): string {
  const random = randomBytes(16);
  random[0] = ((random[0] ?? 0) & 0x3f) | 0x40;
  return random.toString('hex');
}

function sign(
  certificate: forge.pki.Certificate,
  ownKey: string,
  signingKey: string,
): CertificatePair {
  certificate.sign(pki.privateKeyFromPem(signingKey), forge.md.sha256.create());
  return { cert: pki.certificateToPem(certificate).replaceAll('\r\n', '\n'), key: ownKey };
}

/** By Node.js in its thread pool: forge's own generator would stop the process for seconds. */
function newKeyPair(): Promise<{ publicKey: string; privateKey: string }> {
  return promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}
