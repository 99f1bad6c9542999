import { isNotReady, type NodeState } from '../model/node.ts';
import { releaseAfterMs } from '../model/node-loss.ts';
import type { LocalVolume } from '../model/volume.ts';
import type {
  ClaimStore,
  ClaimUser,
  PersistentVolumeStore,
  PodStore,
  VolumeStore,
} from './cluster.ts';
import { describeBack, describeGivenUp, describeWait, tellOwners } from './node-loss-texts.ts';
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

/** Why nobody can reach the data of a volume now. */
interface Loss {
  readonly why: string;
  /** Nobody there can end a pod: the API server must not wait for it. */
  readonly kubeletIsLost: boolean;
}

/** How soon to look again after another hand has changed what this decision rests on. */
const againMs = 1_000;
/** How far apart clocks may be without anybody caring. */
const clockSkewMs = 60_000;
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
  const isNews = lossOf(volume, node) !== undefined || volume.nodeLostSince !== undefined;
  return isNews && isHandedOver(volume);
}

/** One that nobody has got yet is taken back by whoever was making it. */
function isHandedOver({ published, deleting }: LocalVolume): boolean {
  return published && !deleting;
}

function lossOf(volume: LocalVolume, node: NodeState | undefined): Loss | undefined {
  const { node: name } = volume.spec;
  if (node === undefined) {
    return { why: `node ${name} does not exist`, kubeletIsLost: true };
  }
  if (isNotReady(node)) {
    return { why: `node ${name} is not ready (${node.said})`, kubeletIsLost: true };
  }
  return volume.status.phase === 'Lost'
    ? { why: `it is no longer on the disks of node ${name}`, kubeletIsLost: false }
    : undefined;
}

async function waitOrGiveUp(volume: LocalVolume, ports: GiveUpPorts): Promise<number | undefined> {
  const { spec, nodeLostSince, givenUp } = volume;
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
  if (!loss) {
    return nodeLostSince === undefined ? undefined : comeBack(volume, ports);
  }
  return nodeLostSince === undefined || hasChangedSince(nodeLostSince, node, ports.now())
    ? beginWait(volume, loss, ports)
    : goOnWaiting(volume, nodeLostSince, loss, ports);
}

/**
 * The node may have been well for a while, and nobody looked: the waiting begins anew then. Its
 * clock is another one, so a moment does not count, and what it says of the future neither.
 */
function hasChangedSince(recorded: number, node: NodeState | undefined, now: number): boolean {
  const since = node?.since ?? 0;
  return since > recorded + clockSkewMs && since <= now;
}

async function goOnWaiting(
  volume: LocalVolume,
  since: number,
  loss: Loss,
  ports: GiveUpPorts,
): Promise<number | undefined> {
  const afterMs = releaseAfterMs(volume.spec.onNodeLost);
  if (afterMs === undefined) {
    return undefined;
  }
  const leftMs = since + afterMs - ports.now();
  if (leftMs > 0) {
    return Math.min(leftMs, longestWaitMs);
  }
  const isRecorded = volume.givenUp === true || (await recordGivenUp(volume, loss, ports));
  return isRecorded ? takeClaim(volume, loss, ports) : againMs;
}

async function beginWait(volume: LocalVolume, loss: Loss, ports: GiveUpPorts): Promise<number> {
  const since = ports.now();
  if (await ports.losses.markNodeLost(volume, since)) {
    const isAgentAlive = ports.nodes.isAlive(volume.spec.node);
    const text = describeWait(volume, { why: loss.why, since, isAgentAlive });
    tellOwners(volume, await usersOf(volume, ports), (about) =>
      ports.events.warning(about, 'BerthNodeLost', text),
    );
    ports.log.warn('the node of a volume is lost', { volume: volume.name, why: loss.why });
  }
  return againMs;
}

async function comeBack(volume: LocalVolume, ports: GiveUpPorts): Promise<number | undefined> {
  if (!(await ports.losses.markNodeBack(volume))) {
    return againMs;
  }
  tellOwners(volume, await usersOf(volume, ports), (about) =>
    ports.events.normal(about, 'BerthNodeBack', describeBack(volume)),
  );
  return undefined;
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
  const text = describeGivenUp(volume, loss.why, isRetained);
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
