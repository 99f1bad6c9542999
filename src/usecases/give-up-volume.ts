import { releaseAfterMs } from '../model/node-loss.ts';
import type { LocalVolume } from '../model/volume.ts';
import type {
  ClaimStore,
  ClaimUser,
  PersistentVolumeStore,
  PodStore,
  VolumeStore,
} from './cluster.ts';
import { hasChangedSince, isRecorded, lossOf, type Loss } from './loss.ts';
import {
  describeBack,
  describeGivenUp,
  describeWait,
  ruleFor,
  tellOwners,
} from './node-loss-texts.ts';
import type { EventSink } from './ports.ts';
import { purgeWhenBack, type PurgePorts } from './purge-when-back.ts';

export interface GiveUpPorts extends PurgePorts {
  readonly volumes: Pick<VolumeStore, 'get' | 'read'>;
  readonly persistentVolumes: Pick<PersistentVolumeStore, 'read'>;
  readonly claims: ClaimStore;
  readonly pods: PodStore;
  readonly events: EventSink;
  /** Hears of every volume that is given up. */
  readonly givenUp: () => void;
}

/** How soon to look again after another hand has changed what this decision rests on. */
const againMs = 1_000;
/** How often to look whether a silent agent is back: no API call but one is made. */
const silentMs = 30_000;
/** How often to look whether a claim that is taken away has gone. */
const goingMs = 2_000;
/** A timer holds some 24 days at most, and the clock may be set meanwhile. */
const longestWaitMs = 3_600_000;

/**
 * What becomes of the volume of a lost node, as its class asks: it waits for ever, or its claim is
 * taken away after a time, so that whoever made the claim makes another, for another node.
 *
 *     lost -> `node-lost-since` recorded -> (the time passes) -> `given-up` recorded
 *       -> claim deleted -> pods deleted -> the release goes on as for every deleted claim
 *
 * Memory is asked first, and costs nothing; before each step everything is read live. What is
 * recorded counts, so another replica goes on with the waiting where this one stopped.
 *
 * @returns milliseconds after which to look again, or nothing
 */
export function giveUpVolume(ports: GiveUpPorts) {
  return async (name: string): Promise<number | undefined> => {
    const known = ports.volumes.get(name);
    if (known?.deleting === true) {
      return endDeleted(known, ports);
    }
    if (known === undefined || !mayBeLost(known, ports)) {
      return undefined;
    }
    const volume = await ports.volumes.read(name);
    return volume && isHandedOver(volume) ? waitOrGiveUp(volume, ports) : undefined;
  };
}

/** By memory alone. */
function mayBeLost(volume: LocalVolume, { nodes }: GiveUpPorts): boolean {
  const node = nodes.node(volume.spec.node)?.state;
  const isNews = lossOf(volume, node) !== undefined || isRecorded(volume);
  return isNews && isHandedOver(volume);
}

/** One that nobody has got yet is taken back by whoever was making it. */
function isHandedOver({ published, deleting }: LocalVolume): boolean {
  return published && !deleting;
}

async function waitOrGiveUp(volume: LocalVolume, ports: GiveUpPorts): Promise<number | undefined> {
  const { spec, givenUp } = volume;
  const { namespace, name, uid } = spec.claimRef;
  const [node, claim] = await Promise.all([
    ports.nodeObjects.read(spec.node),
    ports.claims.read(namespace, name),
  ]);
  if (claim?.ref.uid !== uid) {
    return givenUp === true ? replaceStuckPods(volume, ports) : undefined;
  }
  const loss = lossOf(volume, node);
  if (givenUp === true && claim.deleting) {
    return takeClaim(volume, loss, ports);
  }
  if (loss?.kind === 'disk' && !ports.nodes.isAlive(spec.node)) {
    // Nobody has looked at the disk since: it may have been repaired.
    return silentMs;
  }
  return loss ? decide(volume, loss, ports) : endOf(volume, ports);
}

function endOf(volume: LocalVolume, ports: GiveUpPorts): Promise<number | undefined> | undefined {
  return isRecorded(volume) ? comeBack(volume, ports) : undefined;
}

async function decide(
  volume: LocalVolume,
  loss: Loss,
  ports: GiveUpPorts,
): Promise<number | undefined> {
  if (loss.kind === 'disk' && volume.nodeLostSince !== undefined) {
    return comeBack(volume, ports);
  }
  const recorded = loss.kind === 'node' ? volume.nodeLostSince : volume.diskFailingSince;
  return recorded === undefined || hasChangedSince(recorded, loss, ports.now())
    ? beginWait(volume, loss, ports)
    : goOnWaiting(volume, recorded, loss, ports);
}

async function goOnWaiting(
  volume: LocalVolume,
  since: number,
  loss: Loss,
  ports: GiveUpPorts,
): Promise<number | undefined> {
  const afterMs = releaseAfterMs(ruleFor(volume, loss.kind));
  if (afterMs === undefined) {
    return undefined;
  }
  const leftMs = since + afterMs - ports.now();
  if (leftMs > 0) {
    return Math.min(leftMs, longestWaitMs);
  }
  const isMarked = volume.givenUp === true || (await recordGivenUp(volume, loss, ports));
  return isMarked ? takeClaim(volume, loss, ports) : againMs;
}

async function beginWait(volume: LocalVolume, loss: Loss, ports: GiveUpPorts): Promise<number> {
  const since = ports.now();
  const { kind, why } = loss;
  const mark = kind === 'node' ? 'markNodeLost' : 'markDiskFailing';
  if (await ports.losses[mark](volume, since)) {
    const isAgentAlive = ports.nodes.isAlive(volume.spec.node);
    const text = describeWait(volume, { kind, why, since, isAgentAlive });
    const reason = kind === 'node' ? 'BerthNodeLost' : 'BerthDiskFailing';
    tellOwners(volume, await usersOf(volume, ports), (about) =>
      ports.events.warning(about, reason, text),
    );
    ports.log.warn('the data of a volume is lost, or may be', { volume: volume.name, why });
  }
  return againMs;
}

async function comeBack(volume: LocalVolume, ports: GiveUpPorts): Promise<number | undefined> {
  if (!(await ports.losses.markBack(volume))) {
    return againMs;
  }
  const kind = volume.nodeLostSince === undefined ? 'disk' : 'node';
  const reason = kind === 'node' ? 'BerthNodeBack' : 'BerthDiskWell';
  tellOwners(volume, await usersOf(volume, ports), (about) =>
    ports.events.normal(about, reason, describeBack(volume, kind)),
  );
  // A disk that fails on a node that is back has its own time, from now on.
  return kind === 'node' ? againMs : undefined;
}

/**
 * The claim goes before its pods: while it is going, its owner makes no pod that would wait for it.
 * Repeated until the claim has gone.
 */
async function takeClaim(
  volume: LocalVolume,
  loss: Loss | undefined,
  { claims, pods }: GiveUpPorts,
): Promise<number> {
  const { claimRef, node } = volume.spec;
  await claims.delete(claimRef);
  for (const { pod, replaceable } of await pods.usersOf(claimRef, node)) {
    const isOnNode = pod.nodeName !== '';
    if (isOnNode || replaceable) {
      await pods.delete(pod, isOnNode && loss?.kubeletIsLost === true);
    }
  }
  return goingMs;
}

async function recordGivenUp(
  volume: LocalVolume,
  loss: Loss,
  ports: GiveUpPorts,
): Promise<boolean> {
  if (!(await ports.losses.markGivenUp(volume))) {
    return false;
  }
  const persistentVolume = await ports.persistentVolumes.read(volume.name);
  const isRetained = persistentVolume?.reclaimPolicy === 'Retain';
  const text = describeGivenUp(volume, loss, isRetained);
  tellOwners(volume, await usersOf(volume, ports), (about) =>
    ports.events.warning(about, 'BerthVolumeGivenUp', text),
  );
  ports.log.warn('volume given up', { volume: volume.name, why: loss.why });
  ports.givenUp();
  return true;
}

async function endDeleted(volume: LocalVolume, ports: GiveUpPorts): Promise<number | undefined> {
  if (volume.givenUp === true) {
    await replaceStuckPods(volume, ports);
  }
  return purgeWhenBack(volume, ports);
}

/**
 * A pod that was made just before its claim had gone names one that does not exist. Kubernetes
 * before 1.26 never makes the claim of such a pod, only that of the next.
 */
async function replaceStuckPods(volume: LocalVolume, ports: GiveUpPorts): Promise<undefined> {
  const { namespace, name } = volume.spec.claimRef;
  const users = await usersOf(volume, ports);
  const stuck = users.filter(({ pod, replaceable }) => replaceable && pod.nodeName === '');
  if (stuck.length > 0 && (await ports.claims.read(namespace, name)) === undefined) {
    await Promise.all(stuck.map(({ pod }) => ports.pods.delete(pod, false)));
  }
}

function usersOf({ spec }: LocalVolume, { pods }: GiveUpPorts): Promise<readonly ClaimUser[]> {
  return pods.usersOf(spec.claimRef, spec.node);
}
