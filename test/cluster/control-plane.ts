import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { answersOk } from './answers-ok.ts';
import type { ApiClient } from './api-client.ts';
import type { Binaries } from './binaries.ts';
import {
  type ControlPlaneFacts,
  apiserverFlags,
  controllerManagerFlags,
  etcdFlags,
} from './flags.ts';
import { type ClusterScope, Program } from './program.ts';
import { dialectOf } from './version.ts';
import { waitFor } from './wait.ts';

export interface ControlPlane {
  etcd: Program;
  apiserver: Program;
  controllerManager: Program;
}

/** The three programs of a control plane with their health checks, none of them running yet. */
export function controlPlane(
  scope: ClusterScope,
  binaries: Binaries,
  facts: ControlPlaneFacts,
): ControlPlane {
  const { ports } = facts;
  if (facts.audit) writeAuditPolicy(scope.dir);
  return {
    etcd: new Program(scope, {
      role: 'etcd',
      file: binaries.etcd,
      args: etcdFlags(facts),
      ready: () => answersOk(`http://127.0.0.1:${ports.etcd}/health`),
    }),
    apiserver: new Program(scope, {
      role: 'apiserver',
      file: binaries.apiserver,
      args: apiserverFlags(facts),
      ready: () => answersOk(`https://127.0.0.1:${ports.apiserver}/readyz`),
    }),
    controllerManager: new Program(scope, {
      role: 'controller-manager',
      file: binaries.controllerManager,
      args: controllerManagerFlags(facts),
      ready: () => answersOk(`https://127.0.0.1:${ports.controllerManager}/healthz`),
    }),
  };
}

/** Starts them in their order, and returns when a pod could be created in the namespace "default". */
export async function startControlPlane(
  plane: ControlPlane,
  api: ApiClient,
  facts: ControlPlaneFacts,
): Promise<void> {
  await plane.etcd.start();
  await plane.apiserver.start();
  await plane.controllerManager.start();
  await waitFor('the default service account', () => hasServiceAccount(api, facts), {
    timeoutMs: 30_000,
    abort: () => plane.controllerManager.failure(),
    explain: () => plane.controllerManager.tail(),
  });
}

async function hasServiceAccount(api: ApiClient, facts: ControlPlaneFacts): Promise<boolean> {
  const account = await api.request<{ secrets?: unknown[] }>(
    'GET',
    '/api/v1/namespaces/default/serviceaccounts/default',
  );
  return !dialectOf(facts.version).tokenSecrets || (account.secrets?.length ?? 0) > 0;
}

/** Who did what to which object, without the objects: enough to count writes. */
function writeAuditPolicy(dir: string): void {
  const policy = {
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived', 'ResponseStarted'],
    rules: [{ level: 'Metadata' }],
  };
  writeFileSync(join(dir, 'audit-policy.json'), JSON.stringify(policy));
}
