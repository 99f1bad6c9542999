import { checkClaim, type ClaimRequest } from '../admission/check-claim.ts';
import { provisioner } from '../model/names.ts';
import { parseQuantity } from '../model/quantity.ts';
import { err, ok, type Result } from '../model/result.ts';
import { parseClassParameters, type ClassParameters } from '../model/storage-class.ts';
import { whyTooSmall, type VolumeMode } from '../model/volume.ts';
import type { AdmissionView } from './admit-ports.ts';

export interface NewClaim extends ClaimRequest {
  /** As in `ClaimView`. The API server has put in the default class already, where there is one. */
  readonly className: string | undefined;
  readonly volumeMode: VolumeMode;
  /** It names its volume, or data that it is to get back: none is made for it. */
  readonly hasVolume: boolean;
}

/**
 * Refuses a new claim of a class of ours that cannot be provided; all other claims pass.
 *
 * @returns what its author should know although it passes, or why it does not
 */
export async function admitClaim(
  claim: NewClaim,
  view: AdmissionView,
): Promise<Result<readonly string[], string>> {
  if (claim.className === undefined || claim.className === '') {
    return ok([]);
  }
  const itsClass = await view.storageClass(claim.className);
  if (itsClass?.provisioner !== provisioner) {
    return ok([]);
  }
  const checked = checkClaim(claim);
  if (!checked.ok) {
    return checked;
  }
  // Whoever wrote a wrong class has been told, and its pods are.
  const parameters = parseClassParameters(itsClass.parameters);
  return parameters.ok ? checkFilesystem(claim, parameters.value, view) : ok([]);
}

async function checkFilesystem(
  claim: NewClaim,
  parameters: ClassParameters,
  view: AdmissionView,
): Promise<Result<readonly string[], string>> {
  const why = whyTooSmallFor(claim, parameters);
  if (why !== undefined && (await view.volumeForm(parameters.pool)) === 'device') {
    return err(`PersistentVolumeClaim ${claim.name}: resources.requests.storage: ${why}`);
  }
  return ok(
    claim.volumeMode === 'Block' && parameters.mkfsOptions
      ? [
          `mkfsOptions of class ${claim.className ?? ''} is not for volumeMode Block: the device has no filesystem`,
        ]
      : [],
  );
}

function whyTooSmallFor(
  { request, volumeMode, hasVolume }: NewClaim,
  { fsType }: ClassParameters,
): string | undefined {
  const size = parseQuantity(request);
  return size.ok && !hasVolume ? whyTooSmall(size.value, { volumeMode, fsType }) : undefined;
}
