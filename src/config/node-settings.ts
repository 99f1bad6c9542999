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
  keyDir: text({
    help: 'holds the keys of classes with encryptionKeyFile: files that only root can read',
    shown: '<directory>',
    fallback: '/etc/berth/keys',
  }),
  kubeletDir: text({
    help: 'where kubelet keeps the folders of pods (its --root-dir): tells who uses a volume with limits',
    shown: '<directory>',
    fallback: '/var/lib/kubelet',
  }),
  cgroupDir: text({
    help: 'where the cgroups of the node are, with those of its pods: limits are set there',
    shown: '<directory>',
    fallback: '/sys/fs/cgroup',
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
  healthInterval: duration({
    help: 'how often errors of the disks under pools and volumes are looked for; 0s: never',
    fallback: '10s',
    leastMs: 0,
    mostMs: 600_000,
  }),
  healthProbeInterval: duration({
    help: 'how often disks are asked for SMART and LVM for its volumes; sooner after an error; 0s: never',
    fallback: '1h',
    leastMs: 0,
    mostMs: 604_800_000,
  }),
  healthQuiet: duration({
    help: 'how long a disk must have met no error of reading or writing to count as well again',
    fallback: '30m',
    leastMs: 1_000,
    mostMs: 86_400_000,
  }),
  hostMounts: text({
    help: 'the mounts of the machine; those that only the agent sees leave out its pods',
    shown: '<file>',
    fallback: '/proc/1/mountinfo',
  }),
};
