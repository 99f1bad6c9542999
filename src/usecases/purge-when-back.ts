import type { LocalVolume } from '../model/volume.ts';
import type { LossRecord, NodeReader, NodeStore } from './cluster.ts';
import type { Log, Now } from './ports.ts';

export interface PurgePorts {
  readonly nodes: NodeReader;
  readonly nodeObjects: NodeStore;
  readonly losses: LossRecord;
  readonly log: Log;
  readonly now: Now;
}

/** How soon the agent may turn out to be silent; nothing but memory is asked for it. */
const lookAgainMs = 2_000;

/**
 * Ends a volume that is deleted and given to an agent which may never come: its node does not
 * exist, or the volume was given up with its node. What is on the disk is put on the list of what
 * that agent has to purge first; only then does its finalizer fall.
 *
 * @returns milliseconds after which to look again, or nothing
 */
export async function purgeWhenBack(
  volume: LocalVolume,
  ports: PurgePorts,
): Promise<number | undefined> {
  const { node } = volume.spec;
  const isGivenUp = volume.givenUp === true;
  if (!isForAgent(volume) || (ports.nodes.node(node) !== undefined && !isGivenUp)) {
    return undefined;
  }
  if (ports.nodes.isAlive(node)) {
    return lookAgainMs;
  }
  const isGone = (await ports.nodeObjects.read(node)) === undefined;
  if (!isGone && !isGivenUp) {
    return undefined;
  }
  const why = isGivenUp ? 'it was given up, as its class asks' : 'it was deleted';
  const where = isGone ? `node ${node} did not exist` : `node ${node} was lost`;
  const reason = `${why}, while ${where} and the agent there was silent`;
  await ports.losses.requestPurge(volume, reason, ports.now());
  await ports.losses.releaseFromAgent(volume);
  ports.log.warn('volume left to be purged by its agent', { volume: volume.name, node, reason });
  return undefined;
}

function isForAgent({ deleting, heldByControl, heldByAgent }: LocalVolume): boolean {
  return deleting && !heldByControl && heldByAgent;
}
