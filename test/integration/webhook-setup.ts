import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { freePort } from '../cluster/ports.ts';
import type { Program } from '../cluster/program.ts';

const namespace = 'berth-system';
const registration = 'berth-webhook';
export const secretPath = `/api/v1/namespaces/${namespace}/secrets/berth-webhook-tls`;

const admissionPath = '/apis/admissionregistration.k8s.io/v1';
export const mutatingPath = `${admissionPath}/mutatingwebhookconfigurations/${registration}`;
export const validatingPath = `${admissionPath}/validatingwebhookconfigurations/${registration}`;

const root = join(import.meta.dirname, '../..');

/** A running `berth webhook` with the rights of its own service account. */
export interface Replica {
  readonly program: Program;
  readonly url: string;
  readonly ops: string;
}

/** The namespace, the account and exactly the rights that a webhook needs. */
export async function prepare(cluster: Cluster): Promise<string> {
  const { api } = cluster;
  await api.request('POST', '/api/v1/namespaces', {
    body: { metadata: { name: namespace, labels: { 'kubernetes.io/metadata.name': namespace } } },
  });
  await api.patch('/api/v1/namespaces/kube-system', {
    metadata: { labels: { 'kubernetes.io/metadata.name': 'kube-system' } },
  });
  await api.request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, {
    body: { metadata: { name: 'berth-webhook' } },
  });
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const subject = { kind: 'ServiceAccount', name: 'berth-webhook', namespace };
  const bind = async (kind: 'ClusterRole' | 'Role', rules: readonly object[]): Promise<void> => {
    const at = kind === 'Role' ? `${rbac}/namespaces/${namespace}` : rbac;
    const [roles, bindings] = [
      `${at}/${kind.toLowerCase()}s`,
      `${at}/${kind.toLowerCase()}bindings`,
    ];
    const metadata = { name: 'berth-webhook' };
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind, name: metadata.name };
    await api.request('POST', roles, { body: { metadata, rules } });
    await api.request('POST', bindings, { body: { metadata, roleRef, subjects: [subject] } });
  };
  await bind('ClusterRole', clusterRules);
  await bind('Role', namespaceRules);
  await api.request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    body: poolDefinition,
  });
  return cluster.kubeconfigFor({ namespace, serviceAccount: 'berth-webhook' });
}

const clusterRules = [
  {
    apiGroups: [''],
    resources: ['persistentvolumes', 'persistentvolumeclaims'],
    verbs: ['get', 'list', 'watch'],
  },
  {
    apiGroups: ['storage.k8s.io'],
    resources: ['storageclasses'],
    verbs: ['get', 'list', 'watch'],
  },
  { apiGroups: ['berth.dev'], resources: ['storagepools'], verbs: ['get'] },
  {
    apiGroups: ['admissionregistration.k8s.io'],
    resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
    resourceNames: [registration],
    verbs: ['get', 'list', 'watch', 'patch'],
  },
];

const namespaceRules = [
  { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
  {
    apiGroups: [''],
    resources: ['secrets'],
    resourceNames: ['berth-webhook-tls'],
    verbs: ['get', 'list', 'watch', 'patch'],
  },
];

const poolDefinition = {
  metadata: { name: 'storagepools.berth.dev' },
  spec: {
    group: 'berth.dev',
    scope: 'Cluster',
    names: { plural: 'storagepools', singular: 'storagepool', kind: 'StoragePool' },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        },
      },
    ],
  },
};

/** @param kubeconfig - of the webhook's account */
export async function startReplica(
  cluster: Cluster,
  role: string,
  kubeconfig: string,
): Promise<Replica> {
  const [port, opsPort] = await Promise.all([freePort(), freePort()]);
  const ops = `http://127.0.0.1:${opsPort}`;
  const settings = [
    ...['--kubeconfig', kubeconfig, '--listen-address', '127.0.0.1', '--port', String(port)],
    ...['--ops-address', '127.0.0.1', '--ops-port', String(opsPort)],
    ...['--cert-names', '127.0.0.1', '--drain', '0ms'],
  ];
  const program = await cluster.startProgram({
    role,
    file: process.execPath,
    args: ['--import', 'tsx', 'src/main.ts', 'webhook', ...settings],
    cwd: root,
    ready: async () => (await fetch(`${ops}/readyz`)).ok,
    readyTimeoutMs: 30_000,
  });
  return { program, ops, url: `https://127.0.0.1:${port}` };
}

/** What the manifests register, with addresses in place of the Service. */
export async function register(
  cluster: Cluster,
  mutating: Replica,
  validating: Replica,
): Promise<void> {
  const common = {
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    timeoutSeconds: 10,
    matchPolicy: 'Equivalent',
  };
  const elsewhere = {
    matchExpressions: [
      {
        key: 'kubernetes.io/metadata.name',
        operator: 'NotIn',
        values: ['kube-system', namespace],
      },
    ],
  };
  const rule = (apiGroup: string, resource: string, ...operations: string[]) => [
    { apiGroups: [apiGroup], apiVersions: ['*'], resources: [resource], operations },
  ];
  await cluster.api.request('POST', `${admissionPath}/mutatingwebhookconfigurations`, {
    body: {
      metadata: { name: registration },
      webhooks: [
        {
          ...common,
          name: 'pods.berth.dev',
          clientConfig: { url: `${mutating.url}/mutate-pod` },
          rules: rule('', 'pods', 'CREATE'),
          namespaceSelector: elsewhere,
          reinvocationPolicy: 'IfNeeded',
          failurePolicy: 'Ignore',
        },
      ],
    },
  });
  const entry = (name: string, path: string, failurePolicy: string, rules: object[]) => ({
    ...common,
    name: `${name}.berth.dev`,
    clientConfig: { url: validating.url + path },
    rules,
    failurePolicy,
  });
  await cluster.api.request('POST', `${admissionPath}/validatingwebhookconfigurations`, {
    body: {
      metadata: { name: registration },
      webhooks: [
        entry(
          'classes',
          '/validate-class',
          'Ignore',
          rule('storage.k8s.io', 'storageclasses', 'CREATE'),
        ),
        entry(
          'pools',
          '/validate-pool',
          'Fail',
          rule('berth.dev', 'storagepools', 'CREATE', 'UPDATE'),
        ),
        {
          ...entry(
            'claims',
            '/validate-claim',
            'Ignore',
            rule('', 'persistentvolumeclaims', 'CREATE'),
          ),
          namespaceSelector: elsewhere,
        },
      ],
    },
  });
}
