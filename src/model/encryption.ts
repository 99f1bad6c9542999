import { bytes, MiB, minusBytes, sumBytes, type Bytes } from './bytes.ts';

/** How a volume is encrypted, and whose key opens it: exactly one of the two is there. */
export interface VolumeEncryption {
  readonly type: 'luks2';
  /** A Secret in Berth's own namespace. */
  readonly keySecret?: string;
  /** A file in the node's directory of keys. */
  readonly keyFile?: string;
}

export const encryptionNames = ['encryption', 'encryptionKeySecret', 'encryptionKeyFile'] as const;

/** What Kubernetes allows for the name of a Secret. */
const secretName = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
/** Leads nowhere else, and is not hidden. */
const fileName = /^[A-Za-z0-9][-A-Za-z0-9._]{0,62}$/;

const secretAllowed = "the name of a Secret in Berth's namespace is allowed, without the namespace";
const fileAllowed = 'the name of a file is allowed: letters, digits, "-", "_" and ".", at most 63';

/**
 * Reads how volumes are encrypted among the parameters of a class.
 *
 * @param mistakes - gets every mistake: parameter, value and what is allowed
 */
export function parseEncryption(
  given: Readonly<Record<string, string>>,
  mistakes: string[],
): { readonly encryption?: VolumeEncryption } {
  const { encryption: type, encryptionKeySecret: keySecret, encryptionKeyFile: keyFile } = given;
  const found = [
    ...whyNotNamed('encryptionKeySecret', keySecret, secretName, secretAllowed),
    ...whyNotNamed('encryptionKeyFile', keyFile, fileName, fileAllowed),
    ...whyNotWhole(type, [keySecret, keyFile].filter((key) => key !== undefined).length),
  ];
  mistakes.push(...found);
  return type === undefined || found.length > 0
    ? {}
    : {
        encryption: { type: 'luks2', ...(keySecret ? { keySecret } : { keyFile: keyFile ?? '' }) },
      };
}

function whyNotNamed(
  parameter: string,
  value: string | undefined,
  pattern: RegExp,
  allowed: string,
): readonly string[] {
  const isFine = value === undefined || pattern.test(value);
  return isFine ? [] : [`${parameter} is "${value}": ${allowed}`];
}

function whyNotWhole(type: string | undefined, keys: number): readonly string[] {
  if (type === undefined) {
    return keys === 0 ? [] : ['encryption is missing: with a key, "luks2" is required'];
  }
  if (type !== 'luks2') {
    return [`encryption is "${type}": luks2 is allowed`];
  }
  return keys === 1
    ? []
    : ['encryption is "luks2": exactly one of encryptionKeySecret, encryptionKeyFile is required'];
}

/** Where the data begins behind a header; the room that LUKS2 itself takes for its keys. */
export const headerBytes = bytes(16 * MiB);

/** What a volume is to hold, and how. */
interface Asked {
  readonly bytes: Bytes;
  readonly encryption?: VolumeEncryption | undefined;
}

/** How large the device under a volume must be, so that all that is asked can be used. */
export function deviceBytesFor({ bytes: usable, encryption }: Asked): Bytes {
  return encryption === undefined ? usable : sumBytes([usable, headerBytes]);
}

/** What is left of a device of that size for whoever uses the volume. */
export function usableBytesOf({ bytes: device, encryption }: Asked): Bytes {
  return encryption === undefined ? device : minusBytes(device, headerBytes);
}

/** Shorter ones could be found by trying; longer ones are a mistake. */
const leastKeyBytes = 32;
const mostKeyBytes = 4096;

/** @returns what is wrong with the size of a key; nothing where it may be used */
export function whyNoKey(length: number): string | undefined {
  return length >= leastKeyBytes && length <= mostKeyBytes
    ? undefined
    : `it has ${length} bytes: from ${leastKeyBytes} to ${mostKeyBytes} random bytes are required`;
}
