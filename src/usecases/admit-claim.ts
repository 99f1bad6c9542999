import { checkClaim, type ClaimRequest } from '../admission/check-claim.ts';
import { provisioner } from '../model/names.ts';
import { ok, type Result } from '../model/result.ts';
import type { AdmissionView } from './admit-ports.ts';

export interface NewClaim extends ClaimRequest {
  /** As in `ClaimView`. The API server has put in the default class already, where there is one. */
  readonly className: string | undefined;
}

/** Refuses a new claim of a class of ours that cannot be provided; all other claims pass. */
export async function admitClaim(
  claim: NewClaim,
  view: AdmissionView,
): Promise<Result<undefined, string>> {
  if (claim.className === undefined || claim.className === '') {
    return ok(undefined);
  }
  const itsClass = await view.storageClass(claim.className);
  return itsClass?.provisioner === provisioner ? checkClaim(claim) : ok(undefined);
}
