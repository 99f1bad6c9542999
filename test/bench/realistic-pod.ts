/** A pod as teams write it for a database; the API server adds the rest. */
export function realisticPod(name: string, claimName: string, schedulerName: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: {
        'app.kubernetes.io/name': 'postgres',
        'app.kubernetes.io/instance': 'orders',
        'app.kubernetes.io/managed-by': 'helm',
        'statefulset.kubernetes.io/pod-name': name,
      },
      annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '9187' },
    },
    spec: {
      schedulerName,
      terminationGracePeriodSeconds: 0,
      affinity: {
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            {
              weight: 100,
              podAffinityTerm: {
                topologyKey: 'kubernetes.io/hostname',
                labelSelector: { matchLabels: { 'app.kubernetes.io/instance': 'orders' } },
              },
            },
          ],
        },
      },
      initContainers: [container('init', claimName)],
      containers: ['postgres', 'exporter'].map((one) => ({
        ...container(one, claimName),
        readinessProbe: { exec: { command: ['pg_isready', '-U', 'postgres'] }, periodSeconds: 5 },
      })),
      volumes: [
        { name: 'data', persistentVolumeClaim: { claimName } },
        { name: 'config', configMap: { name: 'orders-postgres' } },
        { name: 'scratch', emptyDir: {} },
      ],
    },
  };
}

function container(name: string, claimName: string): object {
  return {
    name,
    image: `registry.example.com/databases/${name}:16.4`,
    args: ['-c', 'max_connections=200', '-c', 'shared_buffers=256MB'],
    env: [
      { name: 'PGDATA', value: '/var/lib/postgresql/data/pgdata' },
      { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'CLAIM', value: claimName },
    ],
    ports: [{ name: 'tcp', containerPort: 5432 }],
    resources: { requests: { cpu: '1m', memory: '1Mi' } },
    volumeMounts: [
      { name: 'data', mountPath: '/var/lib/postgresql/data' },
      { name: 'config', mountPath: '/etc/postgresql', readOnly: true },
    ],
  };
}
