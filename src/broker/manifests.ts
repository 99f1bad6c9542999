import {
  apiVersion,
  askedAtAnnotation,
  hostnameLabel,
  instanceIdAnnotation,
  instanceLabel,
  instanceUidAnnotation,
  placeholderLabel,
} from '../model/names.ts';
import { formatQuantity } from '../model/quantity.ts';
import type { Instance, Wants } from './instance.ts';
import { claimName, claimTemplate, placeholderName } from './parts.ts';
import type { Json } from './plan.ts';

/** An instance with its record, which its parts name. */
export interface Recorded {
  readonly instance: Instance;
  /** Of the BrokerInstance. */
  readonly name: string;
  readonly uid: string;
}

/** How placeholder pods are made, whatever the plan. */
export interface PlaceholderRules {
  readonly image: string;
  readonly priorityClass: string;
  /** Empty where the webhook or the cluster decides. */
  readonly scheduler: string;
}

type JsonObject = Readonly<Record<string, Json>>;

const zoneLabel = 'topology.kubernetes.io/zone';

/**
 * A claim belongs to the record until its instance is made, so that one which is made too late, by
 * a process that has stood still, goes by itself. Afterwards nobody owns it: data never goes
 * because another object went.
 */
export function claimOf(of: Recorded, index: number): JsonObject {
  const { storageClass, bytes, volumeMode } = of.instance.wants;
  const metadata = metadataOf(of, claimName(of.uid, index));
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { ...metadata, ownerReferences: [ownerOf(of)] },
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: storageClass,
      volumeMode,
      resources: { requests: { storage: formatQuantity(bytes) } },
    },
  };
}

/**
 * A pod that does nothing, where the later workload will be: with what that needs of a node, and
 * with the claim, so that the scheduler chooses a node for all of it. It does not mount the volume.
 */
export function placeholderOf(
  of: Recorded,
  index: number,
  { rules, askedAt }: { readonly rules: PlaceholderRules; readonly askedAt: string },
): JsonObject {
  const { wants } = of.instance;
  const { nodeSelector, tolerations } = wants.placement;
  const { labels, annotations, ...metadata } = metadataOf(of, placeholderName(of.uid, index));
  const affinity = affinityOf(of);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      labels: { ...labels, [placeholderLabel]: 'true' },
      annotations: { ...annotations, [askedAtAnnotation]: askedAt },
      ownerReferences: [ownerOf(of)],
    },
    spec: {
      ...(rules.scheduler !== '' && { schedulerName: rules.scheduler }),
      ...(nodeSelector && { nodeSelector }),
      ...(tolerations && { tolerations }),
      ...(affinity && { affinity }),
      priorityClassName: rules.priorityClass,
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: {
        ...{ runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532 },
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [containerOf(wants, rules.image)],
      volumes: [
        { name: claimTemplate, persistentVolumeClaim: { claimName: claimName(of.uid, index) } },
      ],
    },
  };
}

function ownerOf({ name, uid }: Recorded): JsonObject {
  const owner = { apiVersion, kind: 'BrokerInstance', name, uid };
  return { ...owner, controller: true, blockOwnerDeletion: false };
}

function metadataOf({ instance, name: record, uid }: Recorded, name: string) {
  return {
    name,
    namespace: instance.namespace,
    labels: { [instanceLabel]: record },
    annotations: { [instanceUidAnnotation]: uid, [instanceIdAnnotation]: instance.id },
  };
}

function containerOf({ cpu, memory }: Wants, image: string): JsonObject {
  const requests = { ...(cpu !== undefined && { cpu }), ...(memory !== undefined && { memory }) };
  return {
    name: 'placeholder',
    image,
    resources: { requests },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
  };
}

/** The affinity of the plan, and what keeps the volumes of the set apart. */
function affinityOf({ instance, name }: Recorded): JsonObject | undefined {
  const { spread, placement } = instance.wants;
  const given = asObject(placement.affinity);
  if (spread === 'none') {
    return placement.affinity === undefined ? undefined : given;
  }
  const topologyKey = spread === 'zones' ? zoneLabel : hostnameLabel;
  const apart = { labelSelector: { matchLabels: { [instanceLabel]: name } }, topologyKey };
  const others = asObject(given['podAntiAffinity']);
  const required = 'requiredDuringSchedulingIgnoredDuringExecution';
  return {
    ...given,
    nodeAffinity: withLabel(asObject(given['nodeAffinity']), topologyKey),
    podAntiAffinity: { ...others, [required]: [...asList(others[required]), apart] },
  };
}

/** A node without the label is in no zone, so the rule above would let any number onto it. */
function withLabel(nodeAffinity: JsonObject, key: string): JsonObject {
  const required = 'requiredDuringSchedulingIgnoredDuringExecution';
  const has = { key, operator: 'Exists' };
  const given = asObject(nodeAffinity[required])['nodeSelectorTerms'];
  const terms = given === undefined ? [{}] : asList(given).map(asObject);
  const nodeSelectorTerms = terms.map((term) => ({
    ...term,
    matchExpressions: [...asList(term['matchExpressions']), has],
  }));
  return { ...nodeAffinity, [required]: { nodeSelectorTerms } };
}

function asObject(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : {};
}

function asList(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}
