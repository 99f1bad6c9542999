import type { Bytes } from './bytes.ts';
import { parseQuantity } from './quantity.ts';
import { err, ok, type Result } from './result.ts';
import type { VolumeMode } from './volume.ts';

/** A claim that a pod names, or that will be made for it from a template. */
export interface PodClaim {
  /** The claim's name, in the pod's namespace. */
  readonly name: string;
  /** Set for a generic ephemeral volume: what the claim will ask, before it exists. */
  readonly template?: ClaimTemplate | undefined;
}

export interface ClaimTemplate {
  readonly className: string | undefined;
  readonly requested: Result<Bytes, string>;
  readonly volumeMode: VolumeMode;
}

/** A pod, as far as placing its volumes needs it. */
export interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly schedulerName: string;
  /** Empty while it waits for a node. */
  readonly nodeName: string;
  /** The node on which others were evicted for its sake; empty where nobody was. */
  readonly nominatedNode: string;
  /** Whether a scheduler, or a gate before it, has said why the pod is not placed. */
  readonly seenByScheduler: boolean;
  readonly priority: number;
  readonly deleting: boolean;
  /** Milliseconds since the epoch; 0 where it is not known. */
  readonly createdAt: number;
  /** It may run on a node that is cordoned, as the pods of a DaemonSet may. */
  readonly toleratesCordon: boolean;
  readonly claims: readonly PodClaim[];
}

interface ClaimSpecObject {
  readonly storageClassName?: string | null;
  readonly volumeMode?: string | null;
  readonly resources?: { readonly requests?: Readonly<Record<string, unknown>> | null };
}

/** The parts of core/v1 Pod that are read. */
export interface PodObject {
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly deletionTimestamp?: unknown;
    readonly creationTimestamp?: unknown;
  };
  readonly spec?: {
    readonly schedulerName?: string;
    readonly nodeName?: string;
    readonly priority?: number;
    readonly volumes?: readonly VolumeObject[] | null;
    readonly tolerations?: readonly Toleration[] | null;
  };
  readonly status?: {
    readonly nominatedNodeName?: string;
    readonly conditions?: readonly { readonly type: string }[] | null;
  };
}

export interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
}

interface VolumeObject {
  readonly name: string;
  readonly persistentVolumeClaim?: { readonly claimName: string };
  readonly ephemeral?: { readonly volumeClaimTemplate?: { readonly spec?: ClaimSpecObject } };
}

/** @returns the pod, or which field of it is missing */
export function parsePod(object: PodObject): Result<Pod, string> {
  const { name, namespace, uid, deletionTimestamp, creationTimestamp } = object.metadata ?? {};
  for (const [field, value] of Object.entries({ name, namespace, uid })) {
    if (typeof value !== 'string' || value === '') {
      return err(`Pod.metadata.${field} is ${value === '' ? '""' : 'missing'}: a text is required`);
    }
  }
  const identity = { namespace, name, uid } as Pick<Pod, 'namespace' | 'name' | 'uid'>;
  const deleting = typeof deletionTimestamp === 'string';
  const createdAt = typeof creationTimestamp === 'string' ? Date.parse(creationTimestamp) || 0 : 0;
  return ok({
    ...identity,
    deleting,
    createdAt,
    ...parsePodStatus(object.status ?? {}),
    ...parsePodSpec(object.spec ?? {}, identity.name),
  });
}

function parsePodStatus(status: NonNullable<PodObject['status']>) {
  const { nominatedNodeName = '', conditions } = status;
  const seenByScheduler = (conditions ?? []).some(({ type }) => type === 'PodScheduled');
  return { nominatedNode: nominatedNodeName, seenByScheduler };
}

function parsePodSpec(spec: NonNullable<PodObject['spec']>, podName: string) {
  const { schedulerName = 'default-scheduler', nodeName = '', priority = 0, volumes } = spec;
  const claims = (volumes ?? []).flatMap((volume) => claimOf(volume, podName));
  const toleratesCordon = (spec.tolerations ?? []).some(isForCordon);
  return { schedulerName, nodeName, priority, claims, toleratesCordon };
}

const cordonTaint = 'node.kubernetes.io/unschedulable';

/** Whether it tolerates the taint of a cordoned node: no value, effect NoSchedule (core/v1 ToleratesTaint). */
export function isForCordon({ key = '', operator, value = '', effect = '' }: Toleration): boolean {
  const namesTaint = key === cordonTaint || (key === '' && operator === 'Exists');
  const matches = operator === 'Exists' || value === '';
  return namesTaint && matches && (effect === '' || effect === 'NoSchedule');
}

/** A generic ephemeral volume's claim is called `<pod>-<volume>` (Kubernetes' ephemeral controller). */
function claimOf(volume: VolumeObject, podName: string): PodClaim[] {
  if (volume.persistentVolumeClaim) {
    return [{ name: volume.persistentVolumeClaim.claimName }];
  }
  if (volume.ephemeral) {
    const spec = volume.ephemeral.volumeClaimTemplate?.spec;
    return [
      {
        name: `${podName}-${volume.name}`,
        template: {
          className: spec?.storageClassName ?? undefined,
          requested: requestedBytes(spec?.resources?.requests),
          volumeMode: spec?.volumeMode === 'Block' ? 'Block' : 'Filesystem',
        },
      },
    ];
  }
  return [];
}

/** Half of what `Bytes` can say, so that a backend's overhead on top of it can always be said. */
const largestClaim = 2 ** 52;

/** The size that a claim asks for. A missing or unreadable one is an error, never zero. */
export function requestedBytes(
  requests: Readonly<Record<string, unknown>> | null | undefined,
): Result<Bytes, string> {
  const storage = requests?.['storage'];
  if (typeof storage !== 'string' && typeof storage !== 'number') {
    return err('resources.requests.storage is missing');
  }
  const size = parseQuantity(String(storage));
  if (!size.ok) {
    return err(`resources.requests.storage: ${size.error}`);
  }
  return size.value > 0 && size.value <= largestClaim
    ? size
    : err(`resources.requests.storage is ${storage}: it must be above 0 and at most 4Pi`);
}
