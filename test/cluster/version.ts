import { runCommand } from './run-command.ts';

export interface KubeVersion {
  major: number;
  minor: number;
  /** As the server says it, e.g. `v1.20.2`. */
  text: string;
}

const OLDEST_MINOR = 20;
const NEWEST_MINOR = 36;

/** Reads what `kube-apiserver --version` prints, e.g. `Kubernetes v1.20.2`. Throws RangeError if it cannot. */
export function parseVersion(output: string): KubeVersion {
  const match = /v(\d+)\.(\d+)\.\S+/.exec(output);
  if (!match) {
    throw new RangeError(`no Kubernetes version in ${JSON.stringify(output.trim())}`);
  }
  return { major: Number(match[1]), minor: Number(match[2]), text: match[0] };
}

/** Asks the binary for its version. Throws RangeError for one outside of what Berth supports. */
export async function versionOf(apiserver: string): Promise<KubeVersion> {
  const version = parseVersion(await runCommand(apiserver, ['--version']));
  if (version.major !== 1 || version.minor < OLDEST_MINOR || version.minor > NEWEST_MINOR) {
    throw new RangeError(
      `${apiserver} is ${version.text}; supported are 1.${OLDEST_MINOR} to 1.${NEWEST_MINOR}`,
    );
  }
  return version;
}

/** What differs between the supported versions, as far as it matters for starting them. */
export interface Dialect {
  /** `--port=0` keeps the plain-text ports shut; the flag vanished with them in 1.24. */
  insecurePortFlag: boolean;
  /** A pod is refused until its service account has a token Secret; bound tokens came in 1.21. */
  tokenSecrets: boolean;
  /** Controllers are called `endpoint`, not `endpoints-controller`. */
  shortControllerNames: boolean;
  /** The legacy Policy file, gone in 1.23. */
  policyFile: boolean;
  /** The newest version of KubeSchedulerConfiguration that it reads without a warning. */
  schedulerApi: 'v1beta1' | 'v1beta2' | 'v1beta3' | 'v1';
  /** Health and metrics addresses in the scheduler's configuration file; from v1beta3 on they must be empty. */
  schedulerAddresses: boolean;
  /** `--container-runtime=remote`, needed while dockershim was the default. */
  containerRuntimeFlag: boolean;
  /** The runtime's socket stands in the kubelet's configuration file, not in a flag. */
  runtimeEndpointInConfig: boolean;
  /** The kubelet refuses to start on a cgroup v1 host unless told otherwise. */
  failCgroupV1: boolean;
  /** The device plug-in registry, whose folder cannot be moved, can be switched off. */
  devicePluginGate: boolean;
}

export function dialectOf({ minor }: KubeVersion): Dialect {
  return {
    insecurePortFlag: minor <= 23,
    tokenSecrets: minor <= 20,
    shortControllerNames: minor <= 27,
    policyFile: minor <= 22,
    schedulerApi: schedulerApi(minor),
    schedulerAddresses: minor <= 22,
    containerRuntimeFlag: minor <= 23,
    runtimeEndpointInConfig: minor >= 27,
    failCgroupV1: minor >= 31,
    devicePluginGate: minor <= 25,
  };
}

function schedulerApi(minor: number): Dialect['schedulerApi'] {
  if (minor >= 25) return 'v1';
  if (minor >= 23) return 'v1beta3';
  return minor === 22 ? 'v1beta2' : 'v1beta1';
}
