import { selectedNodeAnnotation } from '../../src/model/names.ts';
import type { Pod } from '../../src/kube/objects.ts';
import type { Stored } from './api-server.ts';
import { claimNames, pathOf, View } from './cluster-objects.ts';
import type { Simulation } from './simulation.ts';

/** The scheduler that pods have which are not ours: it has VolumeBinding, and no extender. */
export const otherScheduler = 'default-scheduler';

const leastPauseMs = 2_000;
const mostPauseMs = 5_000;

/**
 * Every few seconds: chooses a node for the unbound claims of a pod, or binds the pod where all its
 * claims are bound. It knows nothing of room.
 */
export function runVolumeBinding(simulation: Simulation): void {
  const { world, server } = simulation;
  world.after(world.random.between(leastPauseMs, mostPauseMs), undefined, () => {
    const pods = new View(server).pods().filter(({ spec, metadata }) => {
      const isOurs = spec?.schedulerName === otherScheduler && !spec.nodeName;
      return isOurs && metadata.deletionTimestamp === undefined;
    });
    const pod = world.random.pick(pods);
    if (pod) {
      attempt(simulation, pod);
    }
    runVolumeBinding(simulation);
  });
}

function attempt({ world, server }: Simulation, pod: Stored & Pod): void {
  const now = new View(server);
  const claims = claimNames(pod).map((name) => now.claim(name));
  const existing = claims.filter((claim) => claim !== undefined);
  const isUsable = existing.every(({ metadata, status }) => {
    return metadata.deletionTimestamp === undefined && status?.phase !== 'Lost';
  });
  if (existing.length < claims.length || !isUsable) {
    return;
  }
  const places = existing.map(({ spec }) => now.volume(spec?.volumeName ?? '')?.spec.node);
  const unbound = existing.filter(({ spec }) => !spec?.volumeName);
  const [fixed] = places.filter((node) => node !== undefined);
  if (unbound.length === 0) {
    const isTogether = places.every((node) => node === fixed);
    if (isTogether && fixed !== undefined) {
      world.say(otherScheduler, `binds ${pod.metadata.name} to ${fixed}`);
      const path = `${pathOf('pods', pod.metadata.name)}/binding`;
      server.create(path, { metadata: { uid: pod.metadata.uid }, target: { name: fixed } });
    }
    return;
  }
  const chosen = unbound.map(({ metadata }) => metadata.annotations?.[selectedNodeAnnotation]);
  const names = now.nodes().map(({ metadata }) => metadata.name);
  const node = fixed ?? chosen.find((one) => one !== undefined) ?? world.random.pick(names);
  for (const { metadata } of unbound) {
    const annotations = { [selectedNodeAnnotation]: node };
    server.patch(pathOf('persistentvolumeclaims', metadata.name), { metadata: { annotations } });
  }
  world.say(otherScheduler, `chooses ${node ?? ''} for the claims of ${pod.metadata.name}`);
}
