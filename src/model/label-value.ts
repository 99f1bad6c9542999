/** A label value holds at most 63 characters (Kubernetes' validation of label values). */
const maxLength = 63;

/**
 * A node's name as a label value. A node name may be a DNS subdomain of 253 characters; one
 * that is too long is cut and made unique by a hash of the whole.
 */
export function labelValue(nodeName: string): string {
  if (nodeName.length <= maxLength) {
    return nodeName;
  }
  return `${nodeName.slice(0, maxLength - 17)}-${fnv1a64(nodeName)}`;
}

/** FNV-1a, 64 bit, as 16 hex digits (draft-eastlake-fnv). Not for secrets: only to tell names apart. */
export function fnv1a64(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (let i = 0; i < text.length; i += 1) {
    hash ^= BigInt(text.charCodeAt(i));
    hash = (hash * 0x100000001b3n) & 0xffffffffffffffffn;
  }
  return hash.toString(16).padStart(16, '0');
}
