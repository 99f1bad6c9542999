import { canMove, type DiscoveryPlan, type DiscoveryPool } from '../model/discovery.ts';
import { hostnameLabel, mediumAnnotation, mediumNodeAnnotation } from '../model/names.ts';
import { selectsNode } from '../model/pool-selector.ts';
import type { Result } from '../model/result.ts';
import { whyShared } from '../usecases/decide-discovery.ts';
import type { DiscoveryFacts, MediumVolume, OfferedPool } from '../usecases/medium-facts.ts';
import type { ClusterState } from './cluster-state.ts';
import type { StoragePoolObject } from './custom-objects.ts';
import { toDiscovered } from './discovery-board.ts';
import { isOnHost, toMediumVolume } from './medium-volumes.ts';
import type { PersistentVolume, StorageClass } from './objects.ts';

/** Reads the spec of a pool; nothing for pools that cut volumes. */
export type ReadDiscovery = (spec: unknown) => Result<DiscoveryPlan, string> | undefined;

export type FactsState = Pick<
  ClusterState,
  'nodes' | 'pools' | 'classes' | 'storageNodes' | 'persistentVolumes'
>;

/** The class of volumes that nobody provisions on demand. */
const noProvisioner = 'kubernetes.io/no-provisioner';

/** What memory knows of the media of one node. */
export function discoveryFacts(
  node: string,
  state: FactsState,
  read: ReadDiscovery,
): DiscoveryFacts {
  const { metadata } = state.nodes.get(node) ?? {};
  const storageNode = state.storageNodes.get(node);
  const volumes = volumesOf(node, metadata?.labels?.[hostnameLabel], state);
  return {
    node,
    nodeExists: metadata !== undefined,
    volumes,
    pools: [...state.pools.list()].flatMap((object) =>
      offered(object, { labels: metadata?.labels ?? {}, volumes, classes: state.classes }, read),
    ),
    found: toDiscovered(storageNode?.status?.discovered),
    requests: storageNode?.spec?.clean ?? [],
    elsewhere: (id) => elsewhere(node, id, state),
  };
}

/** The nodes that have anything to do with discovery. */
export function nodesWithMedia(state: FactsState): readonly string[] {
  const told = [...state.storageNodes.list()].flatMap(({ metadata, spec, status }) =>
    (status?.discovered?.length ?? 0) + (spec?.clean?.length ?? 0) > 0 ? [metadata.name] : [],
  );
  const made = [...state.persistentVolumes.list()].flatMap((volume) => nodeOfMedium(volume) ?? []);
  return [...new Set([...told, ...made])];
}

export function nodeOfMedium({ metadata }: PersistentVolume): string | undefined {
  return metadata?.annotations?.[mediumNodeAnnotation];
}

function volumesOf(
  node: string,
  hostname: string | undefined,
  { persistentVolumes }: FactsState,
): readonly MediumVolume[] {
  return [...persistentVolumes.list()].flatMap((object) => {
    const owner = nodeOfMedium(object);
    const isHere =
      owner === undefined ? hostname !== undefined && isOnHost(object, hostname) : owner === node;
    const volume = isHere ? toMediumVolume(object) : undefined;
    return volume ? [volume] : [];
  });
}

interface Around {
  readonly labels: Readonly<Record<string, string>>;
  readonly volumes: readonly MediumVolume[];
  readonly classes: { get(name: string): StorageClass | undefined };
}

function offered(
  { metadata, spec }: StoragePoolObject,
  { labels, volumes, classes }: Around,
  read: ReadDiscovery,
): readonly OfferedPool[] {
  const plan = read(spec);
  if (!plan?.ok) {
    return [];
  }
  const pool: DiscoveryPool = { name: metadata.name, plan: plan.value };
  const isGoing = metadata.deletionTimestamp !== undefined;
  const problem =
    whyNoClass(plan.value, classes.get(plan.value.storageClassName)) ??
    whyShared(plan.value, volumes);
  return [{ ...pool, applies: !isGoing && selectsNode(spec.nodeSelector ?? {}, labels), problem }];
}

function whyNoClass(plan: DiscoveryPlan, found: StorageClass | undefined): string | undefined {
  const about = `discovery.storageClassName is "${plan.storageClassName}"`;
  if (found === undefined) {
    return `${about}: there is no such StorageClass`;
  }
  if (found.provisioner !== noProvisioner) {
    return `${about}, with provisioner ${found.provisioner}: only ${noProvisioner} is allowed, since volumes are found and not made on demand`;
  }
  return found.volumeBindingMode === 'WaitForFirstConsumer'
    ? undefined
    : `${about}, with volumeBindingMode ${found.volumeBindingMode ?? 'Immediate'}: only WaitForFirstConsumer is allowed`;
}

/**
 * A disk that was moved: its last PersistentVolume has to go before it is offered here, and what
 * another node was asked to clean is not clean here.
 */
function elsewhere(node: string, id: string, state: FactsState): string | undefined {
  if (!canMove(id)) {
    return undefined;
  }
  const claims = [
    ...[...state.persistentVolumes.list()].flatMap(({ metadata }) => {
      const { annotations = {}, name = '' } = metadata ?? {};
      return annotations[mediumAnnotation] === id
        ? [{ name, other: annotations[mediumNodeAnnotation] }]
        : [];
    }),
    ...[...state.storageNodes.list()].flatMap(({ metadata, spec }) =>
      (spec?.clean ?? [])
        .filter((request) => request.id === id)
        .map(({ volume }) => ({ name: volume, other: metadata.name })),
    ),
  ];
  return claims.find(({ other }) => other !== undefined && other !== node && !has(other, id, state))
    ?.name;
}

/** Both have it: a copy, made with the mark of the first one. */
function has(node: string, id: string, { storageNodes }: FactsState): boolean {
  const found = storageNodes.get(node)?.status?.discovered ?? [];
  return found.some(({ entries }) => entries.some((entry) => entry.id === id));
}
