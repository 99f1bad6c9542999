/** Objects as a user would write them, small enough for a test to be read without scrolling. */

export const MiB = 1024 * 1024;
/** The image that the local cluster's nodes have: busybox, without a registry. */
const image = 'berth.test/busybox:1';

export function storagePool(name: string, size: string, nodeSelector = {}): object {
  return {
    apiVersion: 'berth.dev/v1alpha1',
    kind: 'StoragePool',
    metadata: { name },
    spec: {
      nodeSelector,
      backend: 'loop',
      loop: { directory: `/var/lib/berth/pools/${name}`, size },
    },
  };
}

export function storageClass(name: string, parameters: Record<string, string>): object {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name },
    provisioner: 'local.berth.dev',
    volumeBindingMode: 'WaitForFirstConsumer',
    parameters,
  };
}

export function claim(name: string, className: string, size: string): object {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: className,
      resources: { requests: { storage: size } },
    },
  };
}

export interface PodOptions {
  readonly claims?: readonly string[];
  readonly command?: string;
  /** Without a webhook a pod says itself who places it. */
  readonly schedulerName?: string;
  readonly labels?: Record<string, string>;
  /** Generic ephemeral volumes, by name. */
  readonly ephemeral?: Record<string, { readonly className: string; readonly size: string }>;
  readonly cpu?: string;
  /** Whatever else the spec of the pod says. */
  readonly spec?: object;
}

export function pod(name: string, options: PodOptions = {}): object {
  const { claims = [], command = 'sleep 100000', schedulerName, labels = {}, spec = {} } = options;
  const { ephemeral = {}, cpu = '0' } = options;
  const mounts = [...claims, ...Object.keys(ephemeral)];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: {
      ...(schedulerName === undefined ? {} : { schedulerName }),
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'main',
          image,
          imagePullPolicy: 'Never',
          command: ['sh', '-c', command],
          resources: { requests: { cpu } },
          volumeMounts: mounts.map((one) => ({ name: one, mountPath: `/${one}` })),
        },
      ],
      volumes: [
        ...claims.map((one) => ({ name: one, persistentVolumeClaim: { claimName: one } })),
        ...Object.entries(ephemeral).map(([one, { className, size }]) => ({
          name: one,
          ephemeral: {
            volumeClaimTemplate: { spec: (claim(one, className, size) as { spec: object }).spec },
          },
        })),
      ],
      ...spec,
    },
  };
}

export function priorityClass(name: string, value: number): object {
  return { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value };
}

export interface StatefulSetOptions {
  readonly replicas: number;
  readonly className: string;
  readonly size: string;
}

/** A StatefulSet whose pods start together, each with a claim `data-<pod>` at /data. */
export function statefulSet(name: string, options: StatefulSetOptions): object {
  const { replicas, className, size } = options;
  const template = pod(name, { claims: ['data'], labels: { app: name } }) as {
    metadata: object;
    spec: { volumes?: object };
  };
  delete template.spec.volumes;
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name },
    spec: {
      serviceName: name,
      replicas,
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: template.spec },
      volumeClaimTemplates: [claim('data', className, size)],
    },
  };
}
