import { isConflict, isNotFound, type KubeApi } from './api.ts';
import type { KubeObject } from './objects.ts';
import { resourcePath } from './paths.ts';

interface SecretObject extends KubeObject {
  data?: Record<string, string>;
}

export interface SecretAt {
  readonly namespace: string;
  readonly name: string;
}

/** One Secret with texts in it, written only by whoever has seen its latest version. */
export interface SecretTexts {
  read(): Promise<{ version: string; texts: Record<string, string> } | undefined>;
  /** @returns false when it exists already */
  create(texts: Readonly<Record<string, string>>): Promise<boolean>;
  /** @returns false when it was changed after that version, or is gone */
  replace(version: string, texts: Readonly<Record<string, string>>): Promise<boolean>;
}

export function secretTexts(api: KubeApi, { namespace, name }: SecretAt): SecretTexts {
  const path = resourcePath('secrets', { namespace, name });

  return {
    read: async () => {
      try {
        const { metadata, data = {} } = await api.get<SecretObject>(path);
        const texts = Object.entries(data).map(([key, value]) => [
          key,
          Buffer.from(value, 'base64').toString(),
        ]);
        return {
          version: metadata?.resourceVersion ?? '',
          texts: Object.fromEntries(texts) as Record<string, string>,
        };
      } catch (error) {
        if (isNotFound(error)) {
          return undefined;
        }
        throw error;
      }
    },
    create: (texts) =>
      orLost(isConflict, () =>
        api.create(resourcePath('secrets', { namespace }), {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name, namespace, labels: { 'app.kubernetes.io/part-of': 'berth' } },
          type: 'kubernetes.io/tls',
          data: encoded(texts),
        }),
      ),
    // A patch, since the type of a Secret that somebody else made cannot be changed.
    replace: (version, texts) =>
      orLost(isConflictOrGone, () =>
        api.patch(path, 'merge', { metadata: { resourceVersion: version }, data: encoded(texts) }),
      ),
  };
}

function encoded(texts: Readonly<Record<string, string>>): Record<string, string> {
  const pairs = Object.entries(texts).map(([key, text]) => [
    key,
    Buffer.from(text).toString('base64'),
  ]);
  return Object.fromEntries(pairs) as Record<string, string>;
}

function isConflictOrGone(error: unknown): boolean {
  return isConflict(error) || isNotFound(error);
}

/** @returns false for an error that means that another was first */
async function orLost(
  isLost: (error: unknown) => boolean,
  write: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (isLost(error)) {
      return false;
    }
    throw error;
  }
}
