import { isDiscoverySpec, parseDiscoverySpec } from '../backends/discovery-options.ts';
import type { ClusterState } from '../kube/cluster-state.ts';
import { nodeOfMedium, nodesWithMedia, type ReadDiscovery } from '../kube/discovery-facts.ts';
import { isOnHost } from '../kube/medium-volumes.ts';
import type { Node, PersistentVolume } from '../kube/objects.ts';
import {
  hostnameLabel,
  mediumAnnotation,
  poolNameLabel,
  provisionedByAnnotation,
  provisioner,
} from '../model/names.ts';
import { ok } from '../model/result.ts';

export const readDiscovery: ReadDiscovery = (spec) => {
  if (!isDiscoverySpec(spec)) {
    return undefined;
  }
  const parsed = parseDiscoverySpec(spec);
  return parsed.ok ? ok(parsed.value.plan) : parsed;
};

type Tell = (loop: 'discovery' | 'pool-status', key: string) => void;

/** Which nodes have media to be looked after anew, after a change. */
export function listenToDiscovery(state: ClusterState, tell: Tell): void {
  const enqueue = (node: string): void => tell('discovery', node);
  const all = (): void => nodesWithMedia(state).forEach(enqueue);
  state.storageNodes.onChange((before, after) => {
    const [was, is] = [before, after].map((one) =>
      JSON.stringify([one?.spec?.clean, one?.status?.discovered]),
    );
    if (was !== is) {
      enqueue((after ?? before)?.metadata.name ?? '');
      // What one node was asked to clean is offered on no other one.
      (before?.spec?.clean ?? []).flatMap(({ id }) => nodesWith(id, state)).forEach(enqueue);
      const found = [before, after].flatMap((one) => one?.status?.discovered ?? []);
      found.forEach(({ pool }) => tell('pool-status', pool));
    }
  });
  state.persistentVolumes.onChange((before, after) => {
    const volume = after ?? before;
    if (volume) {
      nodesConcerned(volume, state).forEach(enqueue);
      const pool = volume.metadata?.labels?.[poolNameLabel];
      if (pool !== undefined) {
        tell('pool-status', pool);
      }
    }
  });
  state.pools.onChange((before, after) => {
    if (isDiscoverySpec((after ?? before)?.spec)) {
      all();
    }
  });
  state.classes.onChange(all);
  state.nodes.onChange((before, after) => {
    if (labelsOf(before) !== labelsOf(after)) {
      enqueue((after ?? before)?.metadata?.name ?? '');
    }
  });
}

function labelsOf(node: Node | undefined): string | undefined {
  return node && JSON.stringify(node.metadata?.labels);
}

/** The nodes that tell of a medium of that id. */
function nodesWith(id: string | undefined, { storageNodes }: ClusterState): readonly string[] {
  return [...storageNodes.list()].flatMap(({ metadata, status }) =>
    status?.discovered?.some(({ entries }) => entries.some((entry) => entry.id === id))
      ? [metadata.name]
      : [],
  );
}

function nodesConcerned(volume: PersistentVolume, state: ClusterState): readonly string[] {
  const { annotations = {} } = volume.metadata ?? {};
  const own = nodeOfMedium(volume);
  if (own !== undefined) {
    return [own, ...nodesWith(annotations[mediumAnnotation], state)];
  }
  return annotations[provisionedByAnnotation] === provisioner
    ? []
    : nodesWithMedia(state).filter((name) => {
        const hostname = state.nodes.get(name)?.metadata?.labels?.[hostnameLabel];
        return hostname !== undefined && isOnHost(volume, hostname);
      });
}
