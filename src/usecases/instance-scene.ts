import type { Progress, Work } from '../broker/instance.ts';
import type { Recorded } from '../broker/manifests.ts';
import type { Moment } from '../broker/next-step.ts';
import type { ClaimPart } from '../broker/parts.ts';
import type { Place } from '../broker/places.ts';
import { apiVersion } from '../model/names.ts';
import type {
  InstanceStore,
  InstanceView,
  PartStore,
  StoredInstance,
  VolumePlaces,
} from './broker-ports.ts';
import { describeWork } from './broker-texts.ts';
import type { EventSink, Now, ObjectRef } from './ports.ts';

export interface InstanceWorkPorts {
  readonly instances: Pick<InstanceStore, 'get' | 'tell' | 'remove'>;
  readonly view: InstanceView;
  readonly parts: PartStore;
  readonly volumes: VolumePlaces;
  readonly events: EventSink;
  readonly now: Now;
  /** When room was last seen to come free; the start of the process where none was. */
  readonly freed: { at: number };
  /** Hears of each operation that has ended, and of everything that was given back. */
  readonly heard: {
    readonly ended: (kind: string, state: string, ms: number) => void;
    readonly gaveBack: () => void;
  };
}

/** What a step is taken with. */
export interface Scene {
  readonly stored: StoredInstance;
  readonly record: Recorded;
  readonly moment: Moment;
}

/** Milliseconds after which to look again; nothing where only a change is worth a look. */
export type Again = number | 'soon' | undefined;

export async function note(work: Work, scene: Scene, ports: InstanceWorkPorts): Promise<Again> {
  const isNews = await tell(scene.stored, { work, description: describeWork(work) }, ports);
  if (isNews && work.step === 'waiting' && scene.moment.parts.claims.length > 0) {
    ports.heard.gaveBack();
    ports.events.normal(aboutOf(scene), 'BrokerGaveBack', describeWork(work));
  }
  return 'soon';
}

export async function undo(reason: string, scene: Scene, ports: InstanceWorkPorts): Promise<Again> {
  const { progress } = scene.moment.instance;
  const leaving = progress.work?.leaving ?? [];
  return note({ step: 'undoing', reason, leaving }, scene, ports);
}

export function placesOf(
  claims: readonly ClaimPart[],
  { volumes }: InstanceWorkPorts,
): Promise<readonly Place[]> {
  return Promise.all(claims.map((claim) => volumes.find(claim)));
}

export function toldOf(
  objects: readonly { readonly uid: string }[],
  reason: string,
  { moment }: Scene,
  { parts }: InstanceWorkPorts,
): Promise<readonly string[]> {
  const { namespace } = moment.instance;
  return Promise.all(objects.map(({ uid }) => parts.told({ namespace, uid, reason })));
}

type Ending = Pick<Progress, 'state' | 'description' | 'usable' | 'repeatable' | 'volumes'>;

export async function end(ending: Ending, scene: Scene, ports: InstanceWorkPorts): Promise<Again> {
  const { instance } = scene.moment;
  if (!(await tell(scene.stored, { ...ending, work: undefined }, ports))) {
    return 'soon';
  }
  hear(ending.state, scene, ports);
  const isWell = ending.state === 'succeeded';
  const text = `${instance.operation.kind}: ${ending.description}`;
  if (isWell) {
    ports.events.normal(aboutOf(scene), 'BrokerSucceeded', text);
  } else {
    ports.events.warning(aboutOf(scene), 'BrokerFailed', text);
  }
  return 'soon';
}

export function hear(state: string, { moment }: Scene, { heard, now }: InstanceWorkPorts): void {
  const { kind, startedAt } = moment.instance.operation;
  heard.ended(kind, state, now() - Date.parse(startedAt));
}

function aboutOf({ record }: Scene): ObjectRef {
  return { apiVersion, kind: 'BrokerInstance', name: record.name, uid: record.uid };
}

/**
 * Writes how far the operation is, unless just that is written already.
 *
 * @returns whether it was written
 */
export async function tell(
  stored: StoredInstance,
  change: Partial<Progress>,
  { instances, now }: Pick<InstanceWorkPorts, 'instances' | 'now'>,
): Promise<boolean> {
  const { operation, progress } = stored.instance;
  const isSame = progress.operationId === operation.id;
  const begun: Progress = {
    ...progress,
    ...{ operationId: operation.id, state: 'in progress', usable: false, repeatable: true },
    since: new Date(now()).toISOString(),
  };
  const base = isSame ? progress : begun;
  const next = { ...base, ...change };
  const isNewState = next.state !== base.state;
  const dated = isNewState ? { ...next, since: new Date(now()).toISOString() } : next;
  const isKnown = isSame && JSON.stringify(dated) === JSON.stringify(progress);
  return !isKnown && (await instances.tell(stored, dated)) === 'written';
}
