import { duration, port, text } from './setting-kinds.ts';

/** The settings of `berth control`. */
export const controlSettings = {
  kubeconfig: text({
    help: 'kubeconfig file; empty: as kubectl finds it, or the service account of the pod',
    shown: '<file>',
    fallback: '',
  }),
  namespace: text({
    help: "the namespace of Berth's own objects",
    shown: '<name>',
    fallback: 'berth-system',
  }),
  listenAddress: text({
    help: 'where the verbs of the scheduler extender are served; they are not authenticated',
    shown: '<address>',
    fallback: '127.0.0.1',
  }),
  port: port({ help: 'the port of the verbs; 0 takes any', fallback: '10270' }),
  opsAddress: text({
    help: 'where /healthz, /readyz, /metrics and /capacity are served',
    shown: '<address>',
    fallback: '127.0.0.1',
  }),
  opsPort: port({ help: 'the port of those; 0 takes any', fallback: '10272' }),
  nodeSilentAfter: duration({
    help: 'a node whose agent is silent for longer gets no new volumes',
    fallback: '120s',
    leastMs: 1_000,
    mostMs: 86_400_000,
  }),
  readyTimeout: duration({
    help: 'how long an agent may take to make a volume during a bind',
    fallback: '20s',
    leastMs: 1_000,
    mostMs: 600_000,
  }),
  abandonedAfter: duration({
    help: 'after this long a volume that a broken bind has left is given back',
    fallback: '60s',
    leastMs: 1_000,
    mostMs: 86_400_000,
  }),
};
