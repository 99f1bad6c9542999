import { KubeConfig } from '@kubernetes/client-node';
import { openKubeApi, type KubeApi } from './api.ts';

export interface KubeClient {
  readonly config: KubeConfig;
  readonly api: KubeApi;
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
  return { config, api: openKubeApi(config) };
}
