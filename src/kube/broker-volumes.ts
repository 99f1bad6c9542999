import type { ClaimPart } from '../broker/parts.ts';
import type { Place } from '../broker/places.ts';
import { volumeName } from '../model/names.ts';
import type { VolumePlaces } from '../usecases/broker-ports.ts';
import type { KubeApi } from './api.ts';
import type { LocalVolumeObject } from './custom-objects.ts';
import { readLive } from './live.ts';
import { toLocalVolume } from './local-volumes.ts';
import { toNodeState } from './node-state.ts';
import type { Node, PersistentVolume } from './objects.ts';
import { resourcePath } from './paths.ts';
import { toPersistentVolume } from './persistent-volumes.ts';

const zoneLabel = 'topology.kubernetes.io/zone';

export function volumePlaces(api: KubeApi): VolumePlaces {
  const readVolume = async (name: string) => {
    const object = await readLive<LocalVolumeObject>(api, resourcePath('localvolumes', { name }));
    return object && toLocalVolume(object);
  };
  const readNode = (name: string): Promise<Node | undefined> =>
    readLive<Node>(api, resourcePath('nodes', { name }));

  async function find(claim: ClaimPart): Promise<Place> {
    const name = volumeName(claim.uid);
    const volume = await readVolume(name);
    const node = volume && (await readNode(volume.spec.node));
    const place = {
      claim: claim.name,
      persistentVolume: name,
      node: volume?.spec.node ?? '',
      zone: node?.metadata?.labels?.[zoneLabel],
      bytes: claim.capacity ?? claim.requested,
    };
    if (volume?.status.phase !== 'Ready') {
      return { ...place, trouble: volume?.status.message ?? 'it is not there' };
    }
    return isLost(node) ? { ...place, trouble: 'the node is lost' } : place;
  }

  async function isGone(name: string): Promise<boolean> {
    const volume = await readVolume(name);
    if (volume) {
      const isLeft = volume.retained === true;
      return isLeft || (volume.deleting && isLost(await readNode(volume.spec.node)));
    }
    const path = resourcePath('persistentvolumes', { name });
    const object = await readLive<PersistentVolume>(api, path);
    const { phase, reclaimPolicy } = object ? toPersistentVolume(object) : {};
    return object === undefined || (phase === 'Released' && reclaimPolicy === 'Retain');
  }

  return { find, isGone };
}

function isLost(node: Node | undefined): boolean {
  return node === undefined || toNodeState(node).ready !== 'True';
}
