import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import type { ApiClient } from './api-client.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { waitFor } from './wait.ts';

export interface ServiceAccountName {
  namespace: string;
  serviceAccount: string;
}

interface TokenAnswer {
  status: { token: string };
}

/**
 * Writes a kubeconfig with a token of the service account, valid for a day. The account may still be on its way
 * (the one named "default" appears some time after its namespace).
 */
export async function serviceAccountKubeconfig(
  api: ApiClient,
  place: { dir: string; ca: string },
  { namespace, serviceAccount }: ServiceAccountName,
): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
  const body = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: 86_400 },
  };
  const token = await waitFor(
    `a token of service account ${namespace}/${serviceAccount}`,
    async () => (await api.request<TokenAnswer>('POST', path, { body })).status.token,
    { timeoutMs: 10_000 },
  );
  const folder = join(place.dir, 'kubeconfigs');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${namespace}.${serviceAccount}.conf`);
  return writeKubeconfig(file, api.server, place.ca, { token });
}
