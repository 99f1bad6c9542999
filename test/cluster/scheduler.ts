import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { dump, load } from 'js-yaml';

import { answersOk } from './answers-ok.ts';
import { schedulerFlags } from './flags.ts';
import { freePort } from './ports.ts';
import { type ClusterScope, Program } from './program.ts';
import { type KubeVersion, dialectOf } from './version.ts';

export interface SchedulerOptions {
  /** Unique among the schedulers of a cluster. */
  name: string;
  /**
   * The content of the configuration file. In a component configuration the text `@KUBECONFIG@` is replaced by
   * the path of the scheduler's kubeconfig, and `clientConnection.kubeconfig` is added where it is missing.
   */
  config: string;
  format: 'policy' | 'component';
  /** False unless said otherwise: one scheduler then starts at once instead of waiting for a lease to run out. */
  leaderElect?: boolean;
  /** Added to the command line, for what a configuration file cannot say. */
  flags?: readonly string[];
}

interface SchedulerPlace {
  scope: ClusterScope;
  file: string;
  version: KubeVersion;
  kubeconfig: string;
}

/** A kube-scheduler with its configuration, not running yet. */
export async function scheduler(
  place: SchedulerPlace,
  options: SchedulerOptions,
): Promise<Program> {
  const { version, kubeconfig, scope } = place;
  if (options.format === 'policy' && !dialectOf(version).policyFile) {
    throw new RangeError(`Kubernetes ${version.text} has no legacy Policy (gone since 1.23)`);
  }
  const port = await freePort();
  const leaderElect = options.leaderElect ?? false;
  const additions = { kubeconfig, leaderElect, plainPort: await freePort() };
  const args = schedulerFlags({
    ...{ version, kubeconfig, port, leaderElect },
    format: options.format,
    flags: options.flags ?? [],
    configFile: writeConfig(scope.dir, options, additions),
  });
  return new Program(scope, {
    role: `scheduler-${options.name}`,
    file: place.file,
    args,
    ready: () => answersOk(`https://127.0.0.1:${port}/healthz`),
  });
}

interface Additions {
  kubeconfig: string;
  leaderElect: boolean;
  /** For health and metrics in plain text, which old versions cannot be told to leave out. */
  plainPort: number;
}

function writeConfig(dir: string, options: SchedulerOptions, additions: Additions): string {
  const folder = join(dir, 'schedulers');
  mkdirSync(folder, { recursive: true });
  const isPolicy = options.format === 'policy';
  const file = join(folder, `${options.name}.${isPolicy ? 'json' : 'yaml'}`);
  writeFileSync(file, isPolicy ? options.config : completeConfig(options.config, additions));
  return file;
}

interface ComponentConfig {
  apiVersion: string;
  clientConnection?: { kubeconfig?: string };
  leaderElection?: object;
  healthzBindAddress?: string;
  metricsBindAddress?: string;
}

/** Adds to a KubeSchedulerConfiguration what every one here needs: credentials, and no fixed ports. */
export function completeConfig(content: string, additions: Additions): string {
  const { kubeconfig, leaderElect } = additions;
  const config = load(content.replaceAll('@KUBECONFIG@', kubeconfig)) as ComponentConfig;
  config.clientConnection = { kubeconfig, ...config.clientConnection };
  config.leaderElection = { ...config.leaderElection, leaderElect };
  if (/\/v1beta[12]$/.test(config.apiVersion)) {
    // Left out or empty, they mean 0.0.0.0:10251, which two schedulers on one machine cannot share; 0 is no answer.
    config.healthzBindAddress ??= `127.0.0.1:${additions.plainPort}`;
    config.metricsBindAddress ??= config.healthzBindAddress;
  }
  return dump(config);
}

/** The configuration of an ordinary kube-scheduler, in the format its version reads. */
export function defaultSchedulerConfig(version: KubeVersion): string {
  const { schedulerApi } = dialectOf(version);
  return `apiVersion: kubescheduler.config.k8s.io/${schedulerApi}\nkind: KubeSchedulerConfiguration\n`;
}
