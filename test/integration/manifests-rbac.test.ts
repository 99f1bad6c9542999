import { join } from 'node:path';
import { expect } from 'chai';
import { commands } from '../../src/commands/index.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { runCommand } from '../cluster/run-command.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';

const manifests = join(import.meta.dirname, '../../manifests');
const ownNamespace = 'berth-system';

/**
 * One permission; it is written `verb,verb resource/subresource name in namespace`, of which the
 * last three may be missing. Without a namespace it is asked for all of them.
 */
interface Permission {
  verb: string;
  group: string;
  resource: string;
  subresource: string;
  name: string;
  namespace: string;
}

const groups: Readonly<Record<string, string>> = {
  storageclasses: 'storage.k8s.io',
  leases: 'coordination.k8s.io',
  storagepools: 'berth.dev',
  storagenodes: 'berth.dev',
  localvolumes: 'berth.dev',
  brokerinstances: 'berth.dev',
  mutatingwebhookconfigurations: 'admissionregistration.k8s.io',
  validatingwebhookconfigurations: 'admissionregistration.k8s.io',
  clusterroles: 'rbac.authorization.k8s.io',
  clusterrolebindings: 'rbac.authorization.k8s.io',
  customresourcedefinitions: 'apiextensions.k8s.io',
  daemonsets: 'apps',
  deployments: 'apps',
};

function permissions(text: string): Permission[] {
  const match = /^(\S+) ([a-z]+)(?:\/([a-z]+))?(?: ([a-z][a-z-]*))??(?: in (\S+))?$/.exec(text);
  if (!match) {
    throw new RangeError(`"${text}" is not a permission`);
  }
  const [, verbs = '', resource = '', subresource = '', name = '', namespace = ''] = match;
  const group = groups[resource] ?? '';
  return verbs.split(',').map((verb) => ({ verb, group, resource, subresource, name, namespace }));
}

/** What each role does in its work, so what it must be allowed. */
const needed: Readonly<Record<string, readonly string[]>> = {
  'berth-node': [
    'get,list,watch,patch nodes',
    'get,list,watch storagepools',
    'get,list,watch,create,patch storagenodes',
    'get,patch,update storagenodes/status',
    'get,list,watch,patch localvolumes',
    'patch,update localvolumes/status',
    'get,create,update,patch leases in berth-system',
    'get secrets berth-volume-key in berth-system',
    'create,patch events',
  ],
  'berth-control': [
    'get,list,watch nodes',
    'get,list,watch,patch,delete pods',
    'create pods/binding',
    'get,list,watch,create,patch,delete persistentvolumes',
    'get,list,watch,patch,delete persistentvolumeclaims',
    'get,list,watch storageclasses',
    'get,list,watch,patch storagepools',
    'get,list,watch,create,patch storagenodes',
    'get,list,watch,create,patch,delete localvolumes',
    'patch storagepools/status',
    'get,list,watch,create,update,patch leases in berth-system',
    'create,patch events',
  ],
  'berth-webhook': [
    'get,list,watch persistentvolumeclaims',
    'get,list,watch persistentvolumes',
    'get,list,watch storageclasses',
    'get storagepools',
    'get,list,watch,patch mutatingwebhookconfigurations berth-webhook',
    'get,list,watch,patch validatingwebhookconfigurations berth-webhook',
    'get,list,watch,patch secrets berth-webhook-tls in berth-system',
    'create secrets in berth-system',
  ],
  'berth-broker': [
    'get,list,watch,create,patch,delete brokerinstances',
    'patch brokerinstances/status',
    'get,list,watch,create,patch,delete persistentvolumeclaims',
    'get,list,watch,create,delete pods',
    'get localvolumes',
    'get persistentvolumes',
    'get nodes',
    'get,list,watch storageclasses',
    'list,create,patch events',
    'get,create,update,patch leases in berth-system',
  ],
};

const ofNobody = [
  'get,list,watch secrets',
  'get,list secrets in berth-system',
  'get,list configmaps in berth-system',
  'create,patch,delete brokerinstances',
  'patch brokerinstances/status',
  'create,patch,delete nodes',
  'create,delete pods',
  'create pods/exec',
  'create,patch,delete storageclasses',
  'create,patch,delete storagepools',
  'delete,patch storagenodes',
  'update,delete localvolumes',
  'create,patch,update,delete persistentvolumes',
  'create,patch,update,delete persistentvolumeclaims',
  'delete leases in berth-system',
  'create,update,patch leases in kube-system',
  'create,patch,escalate,bind clusterroles',
  'create,patch clusterrolebindings',
  'patch,delete customresourcedefinitions',
  'create,patch daemonsets in berth-system',
  'create,patch deployments in berth-system',
  'patch mutatingwebhookconfigurations',
  'create serviceaccounts/token in berth-system',
  'impersonate users',
];

/** Powers that somebody else has, or nobody; what a role needs itself is taken out. */
const forbidden: Readonly<Record<string, readonly string[]>> = {
  'berth-node': [
    ...ofNobody,
    'get secrets berth-webhook-tls in berth-system',
    'list,watch,patch secrets berth-volume-key in berth-system',
    'get,list,watch pods',
    'create pods/binding',
    'get,list,watch persistentvolumes',
    'get,list,watch persistentvolumeclaims',
    'create localvolumes',
    'patch storagepools/status',
  ],
  'berth-control': [...ofNobody, 'patch localvolumes/status', 'patch storagenodes/status'],
  'berth-webhook': [
    ...ofNobody,
    'get,list,watch nodes',
    'get,list,watch pods',
    'create pods/binding',
    'create,patch localvolumes',
    'patch mutatingwebhookconfigurations other',
    'get secrets other in berth-system',
    'get secrets berth-webhook-tls in kube-system',
    'create secrets in kube-system',
    'get leases in berth-system',
  ],
  'berth-broker': [
    ...ofNobody,
    'create pods/binding',
    'patch persistentvolumeclaims/status',
    'create,patch,delete localvolumes',
    'patch nodes',
    'update brokerinstances',
  ],
};

function show({ verb, resource, subresource, name, namespace }: Permission): string {
  const what = [resource, subresource].filter((part) => part !== '').join('/');
  return [verb, what, name, namespace && `in ${namespace}`].filter((part) => part !== '').join(' ');
}

describe('the rights of each role', function () {
  this.timeout(60_000);
  let cluster: Cluster;

  before(async function () {
    this.timeout(900_000);
    cluster = await startCluster();
    await cluster.kubectl(['apply', '-k', join(manifests, 'base/crds')]);
    await cluster.kubectl(['apply', '-f', join(manifests, 'base/namespace.yaml')]);
    await cluster.kubectl(['apply', '-k', join(manifests, 'base/rbac')]);
    await cluster.kubectl(['apply', '-f', join(manifests, 'components/broker/rbac.yaml')]);
  });

  after(async () => {
    await cluster.stop();
  });

  async function isAllowed(account: string, permission: Permission): Promise<boolean> {
    const answer = await cluster.api.request<{ status: { allowed: boolean } }>(
      'POST',
      '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      {
        body: {
          spec: {
            user: `system:serviceaccount:${ownNamespace}:${account}`,
            groups: [
              'system:serviceaccounts',
              `system:serviceaccounts:${ownNamespace}`,
              'system:authenticated',
            ],
            resourceAttributes: permission,
          },
        },
      },
    );
    return answer.status.allowed;
  }

  async function which(account: string, texts: readonly string[], allowed: boolean) {
    const own = new Set((needed[account] ?? []).flatMap(permissions).map(show));
    const asked = texts.flatMap(permissions).filter((one) => allowed || !own.has(show(one)));
    const found: string[] = [];
    for (const one of asked) {
      if ((await isAllowed(account, one)) === allowed) {
        found.push(show(one));
      }
    }
    return { asked: asked.map(show), found };
  }

  for (const account of Object.keys(needed)) {
    it(`let ${account} do its work`, async () => {
      const { asked, found } = await which(account, needed[account] ?? [], true);

      expect(found).to.deep.equal(asked);
    });

    it(`give ${account} nothing that is not its work`, async () => {
      const { asked, found } = await which(account, forbidden[account] ?? [], false);

      expect(found).to.deep.equal(asked);
    });
  }

  /** Runs kubectl with the role's own token; returns what it prints, or the refusal. */
  async function as(account: string, ...args: string[]): Promise<string> {
    const kubeconfig = await cluster.kubeconfigFor({
      namespace: ownNamespace,
      serviceAccount: account,
    });
    return runCommand('kubectl', [`--kubeconfig=${kubeconfig}`, ...args]).catch(String);
  }

  it('let an agent report on its Node, and touch no other object of the cluster', async () => {
    const [node = ''] = await cluster.addHollowNodes(1);

    const reported = await as('berth-node', 'annotate', 'node', node, 'capacity.berth.dev/fast={}');
    const secrets = await as('berth-node', 'get', 'secrets', '-A');
    const volumes = await as('berth-node', 'get', 'persistentvolumes');

    expect(reported).to.contain('annotated');
    expect(secrets).to.contain('Forbidden');
    expect(volumes).to.contain('Forbidden');
  });

  it('let the webhook make, watch and change its one Secret, and see no other', async () => {
    const inOwn = ['-n', ownNamespace];
    const secret = 'berth-webhook-tls';
    await cluster.kubectl(['create', 'secret', 'generic', 'other', ...inOwn]);

    const made = await as('berth-webhook', 'create', 'secret', 'generic', secret, ...inOwn);
    const listed = await as(
      'berth-webhook',
      ...['get', 'secrets', `--field-selector=metadata.name=${secret}`, '-o', 'name', ...inOwn],
    );
    const merge = ['--type=merge', '-p', '{"data":{"tls.crt":"eA=="}}'];
    const changed = await as('berth-webhook', 'patch', 'secret', secret, ...merge, ...inOwn);
    const other = await as('berth-webhook', 'get', 'secret', 'other', ...inOwn);
    const all = await as('berth-webhook', 'get', 'secrets', ...inOwn);

    expect(made).to.contain('created');
    expect(listed.trim()).to.equal(`secret/${secret}`);
    expect(changed).to.contain('patched');
    expect(other).to.contain('Forbidden');
    expect(all).to.contain('Forbidden');
  });

  it('let the kube-scheduler beside control do its work as the same account', async () => {
    await cluster.kubectl([
      ...['apply', '-f', join(manifests, 'overlays/own-scheduler/scheduler-rbac.yaml')],
    ]);
    const texts = [
      'get,list,watch nodes',
      'get,list,watch persistentvolumes',
      'update pods/status',
      'get configmaps extension-apiserver-authentication in kube-system',
      'get,create,update leases in berth-system',
    ];

    const { asked, found } = await which('berth-control', texts, true);
    const secrets = await which('berth-control', ['get,list secrets'], false);

    expect(found).to.deep.equal(asked);
    expect(secrets.found).to.deep.equal(secrets.asked);
  });

  it('are enough for a real kube-scheduler with the shipped file, which leads by its Lease', async () => {
    await cluster.kubectl([
      ...['apply', '-f', join(manifests, 'overlays/own-scheduler/scheduler-rbac.yaml')],
    ]);
    const kubeconfig = await cluster.kubeconfigFor({
      namespace: ownNamespace,
      serviceAccount: 'berth-control',
    });
    const lines: string[] = [];
    await commands['scheduler-config']?.run({
      args: [
        `--kubernetes=1.${cluster.version.minor}`,
        '--leader-elect',
        '--kubeconfig',
        kubeconfig,
      ],
      env: {},
      out: (text) => void lines.push(text),
      signal: AbortSignal.timeout(10_000),
    });

    const scheduler = await cluster.startScheduler({
      name: 'beside-control',
      config: lines.join('\n'),
      format: 'component',
      leaderElect: true,
    });

    const path = `/apis/coordination.k8s.io/v1/namespaces/${ownNamespace}/leases/berth-scheduler`;
    const holder = await waitFor(
      'a leader',
      async () => {
        const lease = await cluster.api.request<{ spec: { holderIdentity?: string } }>('GET', path);
        return lease.spec.holderIdentity;
      },
      { timeoutMs: 20_000, explain: () => scheduler.tail() },
    );
    expect(holder).to.be.a('string');
    expect(scheduler.tail(1_000)).not.to.match(/forbidden|cannot list/i);
    await scheduler.stop();
  });
});
