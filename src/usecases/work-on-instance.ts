import type { Recorded } from '../broker/manifests.ts';
import { nextStep, type Moment } from '../broker/next-step.ts';
import type { Parts } from '../broker/parts.ts';
import { standInLine, turnOf, type Rival, type Turn } from '../broker/queue.ts';
import { workOf } from '../broker/work.ts';
import type { StoredInstance } from './broker-ports.ts';
import { describeGrowth, describePlacing } from './broker-texts.ts';
import type { Reconcile } from './controller.ts';
import { tell, type InstanceWorkPorts } from './instance-scene.ts';
import { takeStep } from './instance-steps.ts';

/** How soon to look again at an operation that waits for others. Memory alone is asked then. */
const waitMs = 500;
/** How soon to go on after a step, or after somebody else has written in between. */
const soonMs = 20;
/** How long nodes may take to report room that has come free. */
const settleMs = 3_000;

/**
 * Brings one instance a step further, by the name of its record.
 *
 * Memory says whether there is anything to do; what is done rests on what is read live. Nothing is
 * remembered between two steps but when room was last seen to come free: without that memory it is
 * taken to have been now, and everybody is asked once more.
 */
export function workOnInstance(ports: InstanceWorkPorts): Reconcile {
  function turn(name: string, { instance }: StoredInstance, parts: Parts): Turn {
    const me = standInLine(name, instance, parts);
    const others: Rival[] = [];
    for (const [other, stored] of ports.view.running()) {
      const theirs = ports.parts.known(other, stored.uid);
      const rival = other === name ? undefined : standInLine(other, stored.instance, theirs);
      if (rival) {
        others.push(rival);
      }
    }
    const room = { freedAt: ports.freed.at, settleMs, now: ports.now() };
    return me ? turnOf(me, others, room) : 'wait';
  }

  function momentOf(name: string, stored: StoredInstance, parts: Parts): Moment {
    const { instance, uid } = stored;
    return { instance, uid, parts, turn: turn(name, stored, parts), now: ports.now() };
  }

  return async (name) => {
    const known = ports.view.get(name);
    if (!known) {
      return undefined;
    }
    const parts = ports.parts.known(name, known.uid);
    const { kind } = nextStep(momentOf(name, known, parts));
    if (kind === 'rest') {
      return undefined;
    }
    if (kind === 'wait') {
      await tellHowFar(known, parts, ports);
      return waitMs;
    }
    const stored = await ports.instances.get(known.instance.id);
    if (stored?.uid !== known.uid) {
      return waitMs;
    }
    const record: Recorded = { name, uid: stored.uid, instance: stored.instance };
    const moment = momentOf(name, stored, await ports.parts.read(record));
    const againMs = await takeStep(nextStep(moment), { stored, record, moment }, ports);
    return againMs === 'soon' ? soonMs : againMs;
  };
}

async function tellHowFar(
  stored: StoredInstance,
  parts: Parts,
  ports: InstanceWorkPorts,
): Promise<void> {
  const { instance } = stored;
  const { kind } = instance.operation;
  const isPlacing = kind === 'provision' && workOf(instance)?.step === 'placing';
  if (isPlacing || kind === 'update') {
    const describe = isPlacing ? describePlacing : describeGrowth;
    await tell(stored, { description: describe(instance, parts) }, ports);
  }
}
