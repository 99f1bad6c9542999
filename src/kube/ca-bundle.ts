import { isNotFound, type KubeApi } from './api.ts';
import type { KubeObject } from './objects.ts';
import { resourcePath } from './paths.ts';

export const webhookResources = [
  'mutatingwebhookconfigurations',
  'validatingwebhookconfigurations',
] as const;

export interface WebhookRegistration extends KubeObject {
  webhooks?: { name: string; clientConfig?: { caBundle?: string } }[];
}

/** Only entries with such names are ours; whatever else stands in the registration is left alone. */
const ownSuffix = '.berth.dev';

/**
 * Makes the API server trust authorities: writes them into our entries of the mutating and the
 * validating registration of that name. A registration that does not exist is passed over.
 *
 * An entry that holds all of them already is left alone, even where it holds more: another
 * replica may have seen a newer Secret, and two would otherwise overwrite each other in turn.
 *
 * @param trusted - PEM certificates
 * @returns how many entries were changed
 * @throws ApiError when the API server refuses, or the registration changed in the meantime
 */
export async function trustAuthorities(
  api: KubeApi,
  name: string,
  trusted: string,
): Promise<number> {
  const counts = await Promise.all(
    webhookResources.map((resource) => fill(api, resourcePath(resource, { name }), trusted)),
  );
  return counts.reduce((sum, n) => sum + n, 0);
}

async function fill(api: KubeApi, path: string, trusted: string): Promise<number> {
  const { webhooks = [] } = await registration(api, path);
  const wanting = webhooks
    .map((webhook, i) => ({ ...webhook, i }))
    .filter(({ name, clientConfig }) => name.endsWith(ownSuffix) && !holds(clientConfig, trusted));
  if (wanting.length > 0) {
    const caBundle = Buffer.from(trusted).toString('base64');
    const patch = wanting.flatMap(({ name, i }) => [
      { op: 'test', path: `/webhooks/${i}/name`, value: name },
      { op: 'add', path: `/webhooks/${i}/clientConfig/caBundle`, value: caBundle },
    ]);
    await api.patch(path, 'json', patch);
  }
  return wanting.length;
}

async function registration(api: KubeApi, path: string): Promise<WebhookRegistration> {
  try {
    return await api.get<WebhookRegistration>(path);
  } catch (error) {
    if (isNotFound(error)) {
      return {};
    }
    throw error;
  }
}

function holds(clientConfig: { caBundle?: string } | undefined, trusted: string): boolean {
  const held = Buffer.from(clientConfig?.caBundle ?? '', 'base64').toString();
  const wanted = trusted.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [];
  return wanted.every((certificate) => held.includes(certificate));
}
