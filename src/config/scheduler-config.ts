import { routingResource } from '../model/names.ts';
import { err, ok, type Result } from '../model/result.ts';

/** The minor numbers of Kubernetes 1.x that Berth supports. */
export const oldestMinor = 20;
export const newestMinor = 36;
/** The last version whose kube-scheduler reads a Policy file. */
export const lastPolicyMinor = 22;
/** The last version whose kube-scheduler opens a port without TLS, on all addresses. */
const lastPlainMinor = 22;

/** Where the Lease of our own kube-schedulers lives. */
const leaseNamespace = 'berth-system';

export const schedulerFormats = ['auto', 'policy', 'component'] as const;
export type SchedulerFormat = (typeof schedulerFormats)[number];

/**
 * `own` is a kube-scheduler of ours beside `berth control`, which serves one scheduler name.
 * `shared` is the cluster's own, where pods of others pass too.
 */
export const schedulerModes = ['own', 'shared'] as const;
export type SchedulerMode = (typeof schedulerModes)[number];

export interface SchedulerWiring {
  /** The Kubernetes version is 1.`minor`. */
  readonly minor: number;
  readonly format: SchedulerFormat;
  readonly mode: SchedulerMode;
  readonly extenderUrl: string;
  /** Path of the kubeconfig that kube-scheduler uses; empty inside a pod. */
  readonly kubeconfig: string;
  /** Own mode only: a shared scheduler keeps the election it has. */
  readonly leaderElect: boolean;
  readonly schedulerName: string;
  /** Address and port for health and metrics without TLS, up to 1.22; empty leaves the usual. */
  readonly plainAddress: string;
}

/** What goes into the file, and how kube-scheduler is started with it. */
export interface SchedulerFile {
  readonly content: Readonly<Record<string, unknown>>;
  readonly flags: readonly string[];
  /** What the reader should know of it. */
  readonly notes: readonly string[];
}

/**
 * Makes the file that wires kube-scheduler to the extender.
 *
 * @returns the file, or why there is none for this version
 */
export function schedulerFile(wiring: SchedulerWiring): Result<SchedulerFile, string> {
  if (wiring.format !== 'policy') {
    return ok({ content: componentConfig(wiring), flags: ['--config=<this file>'], notes: [] });
  }
  if (wiring.minor > lastPolicyMinor) {
    return err(
      `Kubernetes 1.${wiring.minor} reads no Policy file, 1.${lastPolicyMinor} was the last that did: allowed are auto and component`,
    );
  }
  return ok({
    content: policy(wiring),
    flags: policyFlags(wiring),
    notes: policyNotes(wiring.mode),
  });
}

/** The newest configuration API of a version that it does not call deprecated. */
export function configApi(minor: number): 'v1beta1' | 'v1beta2' | 'v1beta3' | 'v1' {
  if (minor <= 21) {
    return 'v1beta1';
  }
  if (minor === 22) {
    return 'v1beta2';
  }
  return minor <= 24 ? 'v1beta3' : 'v1';
}

function componentConfig(wiring: SchedulerWiring): Record<string, unknown> {
  const { minor, kubeconfig } = wiring;
  const perProfile = wiring.mode === 'shared' && minor >= firstMinorWithProfilePercentage;
  return {
    apiVersion: `kubescheduler.config.k8s.io/${configApi(minor)}`,
    kind: 'KubeSchedulerConfiguration',
    ...(kubeconfig === '' ? {} : { clientConnection: { kubeconfig } }),
    ...leaderElection(wiring),
    ...plainPort(wiring),
    ...(perProfile ? {} : { percentageOfNodesToScore: allNodes }),
    profiles: profiles(wiring, perProfile),
    extenders: [{ ...extender(wiring), enableHTTPS: false, httpTimeout: `${httpTimeoutSeconds}s` }],
  };
}

/**
 * Extenders see only the nodes that kube-scheduler sampled, and may refuse all of them while
 * others have room. 100 switches sampling off.
 */
const allNodes = 100;
/** Since then a profile has a percentage of its own, so pods of others keep being sampled. */
const firstMinorWithProfilePercentage = 26;

function leaderElection({ mode, leaderElect }: SchedulerWiring): Record<string, unknown> {
  if (mode === 'shared') {
    return {};
  }
  const lease = {
    resourceLock: 'leases',
    resourceNamespace: leaseNamespace,
    resourceName: 'berth-scheduler',
  };
  return { leaderElection: leaderElect ? { leaderElect, ...lease } : { leaderElect } };
}

/** With a configuration file these versions ignore the flag that shuts the port. */
function plainPort({ minor, plainAddress }: SchedulerWiring): Record<string, unknown> {
  return minor > lastPlainMinor || plainAddress === ''
    ? {}
    : { healthzBindAddress: plainAddress, metricsBindAddress: plainAddress };
}

function profiles({ mode, minor, schedulerName }: SchedulerWiring, perProfile: boolean): unknown[] {
  const ours = {
    schedulerName,
    ...(perProfile ? { percentageOfNodesToScore: allNodes } : {}),
    plugins: pluginsOf(minor),
  };
  return mode === 'own' ? [ours] : [{ schedulerName: 'default-scheduler' }, ours];
}

/** Up to this one kube-scheduler does not ask extenders about preemption (kubernetes#102971). */
const lastDeafMinor = 21;

/**
 * VolumeBinding would wait for the volumes before it lets anybody bind the pod, and it is the
 * bind verb that makes them: with both, a pod waits for itself. `score` is named because a
 * feature gate lets VolumeBinding score there.
 *
 * DefaultPreemption goes where it would act without asking: it would evict pods whose volumes
 * stay, and 1.20 panics over nodes that the extender has refused (kubernetes#101548).
 */
function pluginsOf(minor: number): Record<string, unknown> {
  const off = (name: string): object => ({ disabled: [{ name }] });
  const points =
    minor <= 22 ? ['preFilter', 'filter', 'score', 'reserve', 'preBind'] : ['multiPoint'];
  return {
    ...Object.fromEntries(points.map((point) => [point, off('VolumeBinding')])),
    ...(minor <= lastDeafMinor ? { postFilter: off('DefaultPreemption') } : {}),
  };
}

/** The bind verb waits for the node to make the volumes; the usual 5 s are too short for that. */
const httpTimeoutSeconds = 30;
/** An extender's 0 to 10 points times 10 times this: outweighs the other plugins together. */
const weight = 10;

/** The fields that both formats write alike. */
function extender({ extenderUrl, mode }: SchedulerWiring): Record<string, unknown> {
  return {
    urlPrefix: extenderUrl,
    filterVerb: 'filter',
    prioritizeVerb: 'prioritize',
    weight,
    bindVerb: 'bind',
    preemptVerb: 'preempt',
    nodeCacheCapable: true,
    // Never true with a bind verb: newer schedulers then bind the pod without its volumes.
    ignorable: false,
    ...(mode === 'own'
      ? {}
      : { managedResources: [{ name: routingResource, ignoredByScheduler: true }] }),
  };
}

/**
 * All predicates that Kubernetes 1.20 to 1.22 use where a Policy names none, but for
 * CheckVolumeBinding. To leave the list out would bring that one back, an empty list would drop
 * even the check of CPU and memory.
 */
const predicatesWithoutVolumeBinding = [
  'CheckNodeUnschedulable',
  'GeneralPredicates',
  'PodToleratesNodeTaints',
  'NoDiskConflict',
  'NoVolumeZoneConflict',
  'MaxCSIVolumeCountPred',
  'MaxEBSVolumeCount',
  'MaxGCEPDVolumeCount',
  'MaxAzureDiskVolumeCount',
  'EvenPodsSpread',
  'MatchInterPodAffinity',
];

/**
 * A Policy knows no profiles: it holds for every pod of its scheduler. Where pods of others pass
 * too, CheckVolumeBinding therefore stays, and volumes are made when it has chosen a node.
 * Priorities are left out, which means the usual ones.
 */
function policy(wiring: SchedulerWiring): Record<string, unknown> {
  const names = predicatesWithoutVolumeBinding.map((name) => ({ name }));
  return {
    apiVersion: 'v1',
    kind: 'Policy',
    ...(wiring.mode === 'own' ? { predicates: names } : {}),
    extenders: [
      // This format writes `Https` so, and durations as whole nanoseconds.
      { ...extender(wiring), enableHttps: false, httpTimeout: httpTimeoutSeconds * 1e9 },
    ],
  };
}

/** What a Policy cannot say is said by flags. */
function policyFlags({ mode, leaderElect, ...wiring }: SchedulerWiring): string[] {
  // Without a configuration file this flag does shut the port without TLS.
  const flags = ['--policy-config-file=<this file>', '--port=0'];
  if (wiring.kubeconfig !== '') {
    flags.push(`--kubeconfig=${wiring.kubeconfig}`);
  }
  if (mode === 'shared') {
    return flags;
  }
  flags.push(`--scheduler-name=${wiring.schedulerName}`, `--leader-elect=${String(leaderElect)}`);
  return leaderElect
    ? [
        ...flags,
        `--leader-elect-resource-namespace=${leaseNamespace}`,
        '--leader-elect-resource-name=berth-scheduler',
      ]
    : flags;
}

function policyNotes(mode: SchedulerMode): string[] {
  const sampling =
    'A Policy cannot switch the sampling of nodes off: from 100 nodes on, use --format component.';
  const binding =
    'It holds for all pods, so VolumeBinding stays on: volumes take about a second longer.';
  return mode === 'own' ? [sampling] : [sampling, binding];
}
