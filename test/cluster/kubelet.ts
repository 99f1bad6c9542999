import { join } from 'node:path';

import type { KeyPair } from './pki.ts';
import { type Dialect, type KubeVersion, dialectOf } from './version.ts';

/** What the command line and the configuration of one kubelet are made from. */
export interface KubeletFacts {
  version: KubeVersion;
  node: string;
  dir: string;
  address: string;
  ports: { api: number; health: number };
  kubeconfig: string;
  authorityCert: string;
  serverPair: KeyPair;
  runtimeEndpoint: string;
  cgroup: string;
  labels: Readonly<Record<string, string>>;
}

export function kubeletFlags(facts: KubeletFacts, configFile: string): string[] {
  const dialect = dialectOf(facts.version);
  const labels = Object.entries(facts.labels).map(([key, value]) => `${key}=${value}`);
  return [
    `--config=${configFile}`,
    `--kubeconfig=${facts.kubeconfig}`,
    `--root-dir=${kubeletRoot(facts.dir)}`,
    `--cert-dir=${join(facts.dir, 'certificates')}`,
    `--hostname-override=${facts.node}`,
    `--node-ip=${facts.address}`,
    ...(labels.length === 0 ? [] : [`--node-labels=${labels.join(',')}`]),
    ...(dialect.containerRuntimeFlag ? ['--container-runtime=remote'] : []),
    ...(dialect.runtimeEndpointInConfig
      ? []
      : [`--container-runtime-endpoint=${facts.runtimeEndpoint}`]),
  ];
}

export function kubeletRoot(dir: string): string {
  return join(dir, 'kubelet');
}

/** The configuration file, as the object to be written into it. */
export function kubeletConfig(facts: KubeletFacts): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    ...servingConfig(facts),
    ...machineConfig(facts),
    ...versionConfig(dialectOf(facts.version), facts),
  };
}

function servingConfig(facts: KubeletFacts): object {
  return {
    address: facts.address,
    port: facts.ports.api,
    readOnlyPort: 0,
    healthzBindAddress: '127.0.0.1',
    healthzPort: facts.ports.health,
    tlsCertFile: facts.serverPair.cert,
    tlsPrivateKeyFile: facts.serverPair.key,
    // Whoever may call it can run commands as root on this machine, so only certificates of this cluster do.
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: facts.authorityCert },
    },
    authorization: { mode: 'AlwaysAllow' },
  };
}

/** What keeps a kubelet from taking the machine for its own. */
function machineConfig(facts: KubeletFacts): object {
  return {
    cgroupRoot: `/${facts.cgroup}`,
    cgroupDriver: 'cgroupfs',
    enforceNodeAllocatable: [],
    failSwapOn: false,
    oomScoreAdj: 0,
    makeIPTablesUtilChains: false,
    volumePluginDir: join(facts.dir, 'volume-plugins'),
    resolvConf: '',
    // A kubelet registers before its runtime is known to be fine and says so only at its next look. It still writes
    // nothing while nothing changes.
    nodeStatusUpdateFrequency: '1s',
    nodeStatusReportFrequency: '5m',
    // The disk it would watch is the machine's, whose fill level is none of this cluster's business.
    evictionHard: {
      'memory.available': '0%',
      'nodefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'imagefs.available': '0%',
    },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
  };
}

function versionConfig(dialect: Dialect, facts: KubeletFacts): object {
  return {
    ...(dialect.runtimeEndpointInConfig ? { containerRuntimeEndpoint: facts.runtimeEndpoint } : {}),
    ...(dialect.failCgroupV1 ? { failCgroupV1: false } : {}),
    ...(dialect.devicePluginGate ? { featureGates: { DevicePlugins: false } } : {}),
  };
}
