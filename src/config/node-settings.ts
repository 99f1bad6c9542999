import { duration, port, text } from './setting-kinds.ts';

/** The settings of `berth node`. */
export const nodeSettings = {
  kubeconfig: text({
    help: 'kubeconfig file; empty: as kubectl finds it, or the service account of the pod',
    shown: '<file>',
    fallback: '',
  }),
  nodeName: text({ help: 'the Node that this agent runs on', shown: '<name>' }),
  namespace: text({
    help: 'the namespace of the Lease that says that the agent lives',
    shown: '<name>',
    fallback: 'berth-system',
  }),
  runDir: text({
    help: 'holds the links that kubelet follows to volumes; it must be empty after a reboot',
    shown: '<directory>',
    fallback: '/run/berth/volumes',
  }),
  leaseRenew: duration({
    help: 'how often the Lease is renewed and the pools are measured',
    fallback: '40s',
    leastMs: 100,
    mostMs: 110_000,
  }),
  reportDelay: duration({
    help: 'changes within this time are published as one',
    fallback: '100ms',
    leastMs: 0,
    mostMs: 60_000,
  }),
  discoveryLook: duration({
    help: 'how often directories of discovery pools are looked at for mounts that came or went',
    fallback: '10s',
    leastMs: 50,
    mostMs: 3_600_000,
  }),
  listenAddress: text({
    help: 'where /healthz, /readyz and /metrics are served',
    shown: '<address>',
    fallback: '127.0.0.1',
  }),
  port: port({ help: 'the port of those; 0 takes any', fallback: '10271' }),
  machineIdFile: text({
    help: 'names the machine; another one under the same node name has other disks',
    shown: '<file>',
    fallback: '/etc/machine-id',
  }),
};
