import { whyNoKey } from '../model/encryption.ts';
import { PermanentError } from '../model/errors.ts';
import { ApiError, isNotFound, type KubeApi } from './api.ts';
import { resourcePath } from './paths.ts';
import type { SecretAt } from './secret-slot.ts';

/** The entry of a Secret that holds a key. */
const entry = 'key';

/**
 * Reads the key of a class, live: it is kept nowhere.
 *
 * @throws PermanentError that says what is wrong with the Secret, and never what is in it
 */
export async function readSecretKey(
  api: Pick<KubeApi, 'get'>,
  { namespace, name }: SecretAt,
): Promise<Uint8Array> {
  const text = `Secret ${namespace}/${name}`;
  const { data = {} } = await api
    .get<{ data?: Record<string, string> }>(resourcePath('secrets', { namespace, name }))
    .catch((error: unknown) => {
      throw understood(error, text);
    });
  const encoded = data[entry];
  if (encoded === undefined) {
    throw new PermanentError(`${text} has no entry "${entry}": the key is required there`);
  }
  const key = Buffer.from(encoded, 'base64');
  const why = whyNoKey(key.length);
  if (why !== undefined) {
    throw new PermanentError(`${text}, entry "${entry}": ${why}`);
  }
  return key;
}

function understood(error: unknown, text: string): unknown {
  if (isNotFound(error)) {
    return new PermanentError(`${text} does not exist`);
  }
  return error instanceof ApiError && error.status === 403
    ? new PermanentError(`${text} must not be read: name it in the Role of the agent`)
    : error;
}
