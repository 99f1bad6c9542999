import type { Authority, KeyPair } from './pki.ts';
import { type KubeVersion, dialectOf } from './version.ts';

/** What the command lines of a control plane are made from. */
export interface ControlPlaneFacts {
  version: KubeVersion;
  dir: string;
  ports: { etcd: number; etcdPeer: number; apiserver: number; controllerManager: number };
  authority: Authority;
  serverPair: KeyPair;
  kubeletClient: KeyPair;
  tokenKey: KeyPair;
  controllerManagerKubeconfig: string;
  audit: boolean;
  controllerManagerQps?: number;
  nodeMonitorGraceSeconds: number;
  apiserverFlags: readonly string[];
  controllerManagerFlags: readonly string[];
}

export function etcdFlags({ dir, ports }: ControlPlaneFacts): string[] {
  const client = `http://127.0.0.1:${ports.etcd}`;
  const peer = `http://127.0.0.1:${ports.etcdPeer}`;
  return [
    '--name=berth',
    `--data-dir=${dir}/etcd`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=berth=${peer}`,
    // Nothing here has to survive a power cut, and syncing is most of what etcd waits for.
    '--unsafe-no-fsync',
    '--quota-backend-bytes=4294967296',
    '--log-level=warn',
    '--logger=zap',
  ];
}

export function apiserverFlags(facts: ControlPlaneFacts): string[] {
  const { dir, ports, authority, serverPair, kubeletClient, tokenKey } = facts;
  return [
    `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${ports.apiserver}`,
    // The endpoints of the service "kubernetes" may not be on loopback; nothing here goes through services.
    '--endpoint-reconciler-type=none',
    `--client-ca-file=${authority.cert}`,
    `--tls-cert-file=${serverPair.cert}`,
    `--tls-private-key-file=${serverPair.key}`,
    `--cert-dir=${dir}/apiserver`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${tokenKey.cert}`,
    `--service-account-signing-key-file=${tokenKey.key}`,
    '--authorization-mode=Node,RBAC',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--allow-privileged=true',
    `--kubelet-client-certificate=${kubeletClient.cert}`,
    `--kubelet-client-key=${kubeletClient.key}`,
    '--kubelet-preferred-address-types=InternalIP',
    ...(facts.audit ? auditFlags(dir) : []),
    ...facts.apiserverFlags,
  ];
}

function auditFlags(dir: string): string[] {
  return [
    `--audit-policy-file=${dir}/audit-policy.json`,
    `--audit-log-path=${dir}/audit.log`,
    '--audit-log-mode=blocking',
  ];
}

export function controllerManagerFlags(facts: ControlPlaneFacts): string[] {
  const { controllerManagerKubeconfig: kubeconfig, tokenKey, authority, ports } = facts;
  const qps = facts.controllerManagerQps;
  return [
    `--kubeconfig=${kubeconfig}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${ports.controllerManager}`,
    `--controllers=${controllers(facts.version)}`,
    ...insecurePort(facts.version),
    '--leader-elect=false',
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${tokenKey.key}`,
    `--root-ca-file=${authority.cert}`,
    `--node-monitor-grace-period=${facts.nodeMonitorGraceSeconds}s`,
    ...(qps === undefined ? [] : [`--kube-api-qps=${qps}`, `--kube-api-burst=${qps * 2}`]),
    ...facts.controllerManagerFlags,
  ];
}

// None of these acts on storage, scheduling or workloads, and each makes the start longer. Newer versions, where the
// controllers have other names, run them all.
const UNUSED_CONTROLLERS = [
  ...['csrsigning', 'csrapproving', 'csrcleaner', 'cronjob', 'horizontalpodautoscaling', 'ttl'],
  ...['endpoint', 'endpointslice', 'endpointslicemirroring', 'replicationcontroller', 'service'],
];

function controllers(version: KubeVersion): string {
  const off = dialectOf(version).shortControllerNames ? UNUSED_CONTROLLERS : [];
  return ['*', ...off.map((name) => `-${name}`)].join(',');
}

/** What the command line of one scheduler is made from. */
export interface SchedulerFacts {
  version: KubeVersion;
  kubeconfig: string;
  port: number;
  configFile: string;
  format: 'policy' | 'component';
  leaderElect: boolean;
  flags: readonly string[];
}

export function schedulerFlags(facts: SchedulerFacts): string[] {
  const { version, kubeconfig, port, configFile } = facts;
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    ...insecurePort(version),
    ...(facts.format === 'policy'
      ? [
          `--policy-config-file=${configFile}`,
          '--use-legacy-policy-config=true',
          `--leader-elect=${String(facts.leaderElect)}`,
        ]
      : [`--config=${configFile}`]),
    ...facts.flags,
  ];
}

function insecurePort(version: KubeVersion): string[] {
  return dialectOf(version).insecurePortFlag ? ['--port=0'] : [];
}
