import { parseQuantity } from '../model/quantity.ts';
import { err, ok, type Result } from '../model/result.ts';

/** A claim whose class is known to be ours. */
export interface ClaimRequest {
  readonly name: string;
  readonly accessModes: readonly string[];
  /** `spec.resources.requests.storage`; empty where it is missing. */
  readonly request: string;
  readonly hasSelector: boolean;
  readonly hasDataSource: boolean;
}

const allowedModes = ['ReadWriteOnce', 'ReadWriteOncePod'];

/** Refuses what a freshly made local volume cannot be, before a pod waits for it in vain. */
export function checkClaim(given: ClaimRequest): Result<undefined, string> {
  const mistakes: string[] = [];
  const wrong = given.accessModes.filter((mode) => !allowedModes.includes(mode));
  if (wrong.length > 0 || given.accessModes.length === 0) {
    mistakes.push(
      `accessModes is [${given.accessModes.join(', ')}]: allowed are ${allowedModes.join(' and ')}, since the disk is in one node`,
    );
  }
  const size = parseQuantity(given.request);
  if (!size.ok) {
    mistakes.push(`resources.requests.storage: ${size.error}`);
  } else if (size.value === 0) {
    mistakes.push(
      `resources.requests.storage is "${given.request}": a size above 0 is allowed, such as 10Gi`,
    );
  }
  if (given.hasSelector) {
    mistakes.push(
      'selector is set: it must be left out, since the volume is made for this claim and not chosen among others',
    );
  }
  if (given.hasDataSource) {
    mistakes.push('dataSource is set: it must be left out, since Berth makes empty volumes only');
  }
  return mistakes.length === 0
    ? ok(undefined)
    : err(`PersistentVolumeClaim ${given.name}: ${mistakes.join('; ')}`);
}
