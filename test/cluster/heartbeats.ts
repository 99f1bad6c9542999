import { join } from 'node:path';

import { ApiClient } from './api-client.ts';
import type { Cluster } from './cluster.ts';
import { HollowNodes } from './hollow-nodes.ts';
import { ownCommand } from './own-command.ts';

/** Starts a process that keeps the hollow nodes alive when the one that added them has ended. */
export async function startHeartbeats(cluster: Cluster): Promise<void> {
  const place = ['--name', cluster.name, '--server', cluster.server];
  const [file, ...args] = ownCommand(['heartbeats', ...place]);
  await cluster.startProgram({ role: 'heartbeats', file, args });
}

/** Beats for all hollow nodes of the cluster in `dir`, for ever. */
export async function beatFor(dir: string, server: string): Promise<never> {
  const pki = join(dir, 'pki');
  const user = { cert: join(pki, 'admin.crt'), key: join(pki, 'admin.key') };
  const hollow = new HollowNodes(new ApiClient(server, join(pki, 'ca.crt'), user), 40);
  await hollow.adopt();
  // The timer of the beats alone does not keep a process alive.
  return new Promise<never>(() => setInterval(() => undefined, 60_000));
}
