import type { Health } from '../model/health.ts';
import type { LocalVolume } from '../model/volume.ts';
import type { PersistentVolumeStore, PodStore, VolumeStore } from './cluster.ts';
import type { EventSink } from './ports.ts';

export interface ShowHealthPorts {
  readonly volumes: Pick<VolumeStore, 'get'>;
  readonly persistentVolumes: Pick<PersistentVolumeStore, 'get' | 'markHealth'>;
  readonly pods: Pick<PodStore, 'usersOf'>;
  readonly events: EventSink;
}

/** How soon to look again after another hand has changed the object. */
const againMs = 1_000;

/**
 * Shows where people look that something is wrong with the disk of a volume: on its
 * PersistentVolume, and on the pods that use it. The agent, which sees the disk, knows no pods.
 *
 * What the PersistentVolume shows is what the pods have been told: nothing is told twice.
 */
export function showVolumeHealth(ports: ShowHealthPorts) {
  return async (name: string): Promise<number | undefined> => {
    const volume = ports.volumes.get(name);
    const persistentVolume = ports.persistentVolumes.get(name);
    if (volume === undefined || persistentVolume?.ours !== true) {
      return undefined;
    }
    const { health } = volume.status;
    const text = health && shownAs(health);
    if (persistentVolume.health === text || persistentVolume.deleting) {
      return undefined;
    }
    if (!(await ports.persistentVolumes.markHealth(persistentVolume, text))) {
      return againMs;
    }
    await tellPods(volume, health, ports);
    return undefined;
  };
}

/** Neither times nor counts: what is shown changes only when the state does. */
function shownAs({ state, reason }: Health): string {
  return `${state}: ${reason}`;
}

async function tellPods(
  { name, spec }: LocalVolume,
  health: Health | undefined,
  { pods, events }: ShowHealthPorts,
): Promise<void> {
  const what = `volume ${name} (claim ${spec.claimRef.name}) on node ${spec.node}`;
  for (const { pod } of await pods.usersOf(spec.claimRef, spec.node)) {
    const about = {
      apiVersion: 'v1',
      kind: 'Pod',
      ...{ namespace: pod.namespace, name: pod.name, uid: pod.uid },
    };
    if (health === undefined) {
      events.normal(about, 'BerthVolumeWell', `${what}: nothing is wrong with its disk any more`);
    } else {
      const reason = health.state === 'failing' ? 'BerthVolumeFailing' : 'BerthVolumeSuspect';
      events.warning(about, reason, `${what}: ${health.message}`);
    }
  }
}
