import { provisioner } from '../model/names.ts';
import { err, ok, type Result } from '../model/result.ts';
import { parseClassParameters } from '../model/storage-class.ts';

export interface ClassFacts {
  readonly name: string;
  readonly provisioner: string;
  readonly volumeBindingMode: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Refuses a storage class of ours from which no volume could ever be made. Others pass. */
export function checkClass(given: ClassFacts): Result<undefined, string> {
  if (given.provisioner !== provisioner) {
    return ok(undefined);
  }
  const mistakes: string[] = [];
  const parameters = parseClassParameters(given.parameters);
  if (!parameters.ok) {
    mistakes.push(`parameters: ${parameters.error}`);
  }
  if (given.volumeBindingMode !== 'WaitForFirstConsumer') {
    mistakes.push(
      `volumeBindingMode is "${given.volumeBindingMode}": only WaitForFirstConsumer is allowed, since a local volume is made where its pod runs`,
    );
  }
  return mistakes.length === 0
    ? ok(undefined)
    : err(`StorageClass ${given.name}: ${mistakes.join('; ')}`);
}
