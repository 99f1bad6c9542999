import type { Log, Now } from '../usecases/ports.ts';
import {
  factsOf,
  namesOf,
  parseBundle,
  splitPem,
  toTexts,
  validityOf,
  type Bundle,
  type BundleTexts,
} from './bundle.ts';
import { issueAuthority, issueServerCertificate } from './issue.ts';
import { decideRenewal, isStillTrusted, type Renewal } from './rotate.ts';

/** A Secret that several replicas read and write. Of two who write at the same time one wins. */
export interface SecretSlot {
  read(): Promise<StoredSecret | undefined>;
  /** @returns false when another was first; nothing is written then */
  create(texts: BundleTexts): Promise<boolean>;
  /** @returns false when the Secret is no longer at that version; nothing is written then */
  replace(version: string, texts: BundleTexts): Promise<boolean>;
}

interface StoredSecret {
  readonly version: string;
  readonly texts: BundleTexts;
}

export interface StoreOptions {
  readonly slot: SecretSlot;
  /** Host names and IP addresses under which the server is called. */
  readonly names: readonly string[];
  readonly now: Now;
  readonly log: Log;
}

/** Losing a race means that another replica has written; more than a few losses mean a fault. */
const mostAttempts = 10;

/**
 * The certificates to use now: those of the Secret, which are made, renewed or, where they are
 * damaged, made anew first. All replicas end with the same ones.
 *
 * @param shown - what this process shows at present; its authority stays trusted when the Secret
 * was deleted or damaged, since replicas may show its certificate for some more seconds
 */
export async function ensureBundle(options: StoreOptions, shown?: Bundle): Promise<Bundle> {
  const { slot, log } = options;
  for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
    const stored = await slot.read();
    const usable = stored && readable(stored, log);
    const renewal = renewalOf(usable, options);
    if (usable && renewal === 'keep') {
      return usable;
    }
    const next = await renewed(renewal, usable ?? shown, options);
    const isWritten =
      stored === undefined
        ? await slot.create(toTexts(next))
        : await slot.replace(stored.version, toTexts(next));
    if (isWritten) {
      log.info('certificates made', { renewal, names: namesOf(next.server.cert) });
      return next;
    }
  }
  throw new Error(`the Secret was changed by others ${mostAttempts} times while it was written`);
}

function readable({ texts }: StoredSecret, log: Log): Bundle | undefined {
  const parsed = parseBundle(texts);
  if (parsed.ok) {
    return parsed.value;
  }
  log.warn('the certificates in the Secret cannot be used and are made anew', {
    reason: parsed.error,
  });
  return undefined;
}

function renewalOf(usable: Bundle | undefined, { names, now }: StoreOptions): Renewal {
  return usable === undefined ? 'renew-authority' : decideRenewal(factsOf(usable, names), now());
}

/** @param before - the bundle that replicas may be showing */
async function renewed(
  renewal: Renewal,
  before: Bundle | undefined,
  { names, now }: StoreOptions,
): Promise<Bundle> {
  const at = now();
  const authority =
    before && renewal === 'renew-server' ? before.authority : await issueAuthority(at);
  // Replicas with other settings share the certificate: had each only its own names, they would
  // renew it against each other for ever. With a new authority the list starts afresh.
  const all = before && renewal === 'renew-server' ? namesOf(before.server.cert) : [];
  const server = await issueServerCertificate(authority, [...new Set([...names, ...all])], at);
  const successor = validityOf(authority.cert);
  const older = splitPem(before?.trusted ?? '').filter(
    (cert) => cert !== authority.cert && isStillTrusted(validityOf(cert), successor, at),
  );
  return { authority, server, trusted: [authority.cert, ...older].join('') };
}
