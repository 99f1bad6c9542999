import { accessSync, constants } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

import { binaryCacheDir, searchPath } from './paths.ts';
import { type KubeVersion, versionOf } from './version.ts';

/** Paths of every program the cluster consists of. */
export interface Binaries {
  apiserver: string;
  controllerManager: string;
  scheduler: string;
  kubelet: string;
  etcd: string;
  kubectl: string;
  version: KubeVersion;
}

/**
 * Finds the programs: `KUBE_BIN_DIR` if set, else the cache, else they are built from Debian's source package,
 * which takes some minutes once and shows its progress on stderr.
 */
export async function findBinaries(): Promise<Binaries> {
  const dir = process.env['KUBE_BIN_DIR'] ?? (await builtBinaries());
  const apiserver = need(dir, 'kube-apiserver');
  return {
    apiserver,
    controllerManager: need(dir, 'kube-controller-manager'),
    scheduler: need(dir, 'kube-scheduler'),
    // Only clusters with kubelets need it, so its absence is reported by the one who starts it.
    kubelet: join(dir, 'kubelet'),
    etcd: onPath('etcd', dir),
    kubectl: onPath('kubectl', dir),
    version: await versionOf(apiserver),
  };
}

async function builtBinaries(): Promise<string> {
  const dir = binaryCacheDir();
  if (!isExecutable(join(dir, 'kubelet'))) {
    await build(dir);
  }
  return dir;
}

async function build(dir: string): Promise<void> {
  const script = join(import.meta.dirname, 'build-kubernetes.sh');
  const child = spawn(script, [dir], { stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) {
    throw new Error(`building Kubernetes failed; the log is ${dir}.build.log`);
  }
}

function need(dir: string, name: string): string {
  const file = join(dir, name);
  if (!isExecutable(file)) {
    throw new Error(`${file} is missing or not executable (KUBE_BIN_DIR must hold ${name})`);
  }
  return file;
}

/** A program beside the Kubernetes binaries wins over the one on PATH: it was put there to go with them. */
function onPath(name: string, first: string): string {
  const folders = [first, ...searchPath()];
  const found = folders.map((folder) => join(folder, name)).find(isExecutable);
  if (!found) {
    throw new Error(`${name} is not installed; run test/cluster/prerequisites.sh`);
  }
  return found;
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
