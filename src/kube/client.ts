import { KubeConfig, Watch } from '@kubernetes/client-node';
import { openKubeApi, type KubeApi } from './api.ts';
import type { OpenWatch } from './reflector.ts';

export interface KubeClient {
  readonly api: KubeApi;
  readonly openWatch: OpenWatch;
}

/**
 * Opens the cluster of a kubeconfig file, or, with an empty path, the one that kubectl would
 * use here: `KUBECONFIG`, the service account of the pod, `~/.kube/config`.
 */
export function openCluster(kubeconfigPath: string): KubeClient {
  const config = new KubeConfig();
  if (kubeconfigPath === '') {
    config.loadFromDefault();
  } else {
    config.loadFromFile(kubeconfigPath);
  }
  const watch = new Watch(config);
  return {
    api: openKubeApi(config),
    openWatch: (path, query, onEvent, onEnd) => watch.watch(path, query, onEvent, onEnd),
  };
}
