import type { Pod } from '../../src/kube/objects.ts';
import type { Step } from './actor.ts';
import type { Stored } from './api-server.ts';
import { claimNames, pathOf, View } from './cluster-objects.ts';
import type { Image } from './disk.ts';
import type { Simulation } from './simulation.ts';

/** A volume of a pod that kubelet has found on its node. */
interface Found {
  readonly claimUid: string;
  readonly image: Image;
}

/** What the kubelets would do next: start pods whose volumes are there, and end deleted ones. */
export function kubeletSteps(simulation: Simulation): readonly Step[] {
  return new View(simulation.server).pods().flatMap((pod): Step[] => {
    if (!pod.spec?.nodeName) {
      return [];
    }
    if (pod.metadata.deletionTimestamp !== undefined) {
      const text = `ends ${pod.metadata.name} (${pod.metadata.uid})`;
      return [{ text, act: () => end(simulation, pod) }];
    }
    const found = pod.status?.phase === 'Pending' ? volumesOf(simulation, pod) : undefined;
    const text = `starts ${pod.metadata.name} (${pod.metadata.uid}) on ${pod.spec.nodeName}`;
    return found ? [{ text, act: () => start(simulation, pod, found) }] : [];
  });
}

function volumesOf(simulation: Simulation, pod: Stored & Pod): readonly Found[] | undefined {
  const now = new View(simulation.server);
  const found = claimNames(pod).map((name): Found | undefined => {
    const claim = now.claim(name);
    const volume = now.persistentVolume(claim?.spec?.volumeName ?? '');
    const image = simulation
      .disksOf(pod.spec?.nodeName ?? '')
      .map(({ images }) => images.get(volume?.metadata.name ?? ''))
      .find((one) => one?.attached);
    const isBound = claim && volume?.spec?.claimRef?.uid === claim.metadata.uid;
    return isBound && image ? { claimUid: claim.metadata.uid, image } : undefined;
  });
  return found.every((one) => one !== undefined) ? found : undefined;
}

function start({ server, checks }: Simulation, pod: Stored & Pod, found: readonly Found[]): void {
  for (const { claimUid, image } of found) {
    checks.mounted(image, claimUid);
    image.writtenBy = claimUid;
    image.openFor.add(pod.metadata.uid);
  }
  const path = `${pathOf('pods', pod.metadata.name)}/status`;
  server.patch(path, { status: { phase: 'Running' } });
}

function end(simulation: Simulation, pod: Stored & Pod): void {
  for (const disk of simulation.disksOf(pod.spec?.nodeName ?? '')) {
    disk.images.forEach(({ openFor }) => openFor.delete(pod.metadata.uid));
  }
  simulation.server.removeNow('pods', pod);
}
