import { giveBack, unusedStep, type Step } from '../broker/next-step.ts';
import { shownVolume, whyNotWhole } from '../broker/places.ts';
import type { PlaceholderPart } from '../broker/parts.ts';
import { describeNoGrowth, describeNoPlace, describeUsers } from './broker-texts.ts';
import { grow, shrink } from './instance-growth.ts';
import {
  end,
  hear,
  note,
  placesOf,
  tell,
  toldOf,
  undo,
  type Again,
  type InstanceWorkPorts,
  type Scene,
} from './instance-scene.ts';

/** How long the API server and the agents may take with what was asked of them. */
const goingMs = 300;
/** How often to look whether pods still use volumes: nobody tells us when they go. */
const usedMs = 5_000;
/** How long our event about a refusal may take: it is on its way when the scheduler has the answer. */
const eventMs = 5_000;

type Take<K extends Step['kind']> = (
  step: Extract<Step, { kind: K }>,
  scene: Scene,
  ports: InstanceWorkPorts,
) => Promise<Again>;

/** @returns when to look again */
export function takeStep(step: Step, scene: Scene, ports: InstanceWorkPorts): Promise<Again> {
  // Each entry takes the step of its own name.
  const take = takes[step.kind] as Take<Step['kind']>;
  return take(step, scene, ports);
}

const takes: { readonly [K in Step['kind']]: Take<K> } = {
  rest: () => Promise.resolve(undefined),
  wait: () => Promise.resolve('soon'),
  note: ({ work }, scene, ports) => note(work, scene, ports),
  make,
  clear: async ({ placeholders }, { moment }, { parts }) => {
    const { namespace } = moment.instance;
    await Promise.all(placeholders.map((one) => parts.removePlaceholder(namespace, one)));
    return 'soon';
  },
  'take-away': takeAway,
  'see-gone': seeGone,
  settle,
  'give-up': giveUp,
  grow: ({ claims }, scene, ports) => grow(claims, scene, ports),
  'give-up-growing': async (_step, scene, ports) => {
    const { instance, parts } = scene.moment;
    const told = await toldOf(parts.claims, 'VolumeExpansionWaits', scene, ports);
    return undo(describeNoGrowth(instance, parts, told), scene, ports);
  },
  shrink: async ({ claims }, scene, ports) => {
    const outcome = await shrink(claims, scene, ports);
    return typeof outcome === 'object' ? fail(outcome.reason, scene, ports) : outcome;
  },
  fail: ({ reason }, scene, ports) => fail(reason, scene, ports),
  'look-for-users': lookForUsers,
  retain,
  forget,
};

async function make(
  { claims, pods }: Extract<Step, { kind: 'make' }>,
  scene: Scene,
  ports: InstanceWorkPorts,
): Promise<Again> {
  const { record } = scene;
  const made = await Promise.all(claims.map((index) => ports.parts.makeClaim(record, index)));
  // A pod without its claim would be refused by the scheduler, for a reason that passes.
  const asked = made.some(Boolean)
    ? []
    : await Promise.all(pods.map((index) => ports.parts.makePlaceholder(record, index)));
  const refusal = [...made, ...asked].find((one) => one !== undefined);
  return refusal ? undo(refusal.refused, scene, ports) : 'soon';
}

async function takeAway(
  _step: Step,
  { moment }: Scene,
  { parts }: InstanceWorkPorts,
): Promise<Again> {
  const { namespace } = moment.instance;
  const { claims, placeholders } = moment.parts;
  await Promise.all(placeholders.map((one) => parts.removePlaceholder(namespace, one)));
  const left = claims.filter(({ deleting }) => !deleting);
  await Promise.all(left.map((claim) => parts.removeClaim(namespace, claim)));
  return goingMs;
}

async function seeGone(
  { work }: Extract<Step, { kind: 'see-gone' }>,
  scene: Scene,
  ports: InstanceWorkPorts,
): Promise<Again> {
  const gone = await Promise.all(work.leaving.map((name) => ports.volumes.isGone(name)));
  const leaving = work.leaving.filter((_name, index) => gone[index] === false);
  if (leaving.length === work.leaving.length) {
    return goingMs;
  }
  ports.freed.at = ports.now();
  return note({ ...work, leaving }, scene, ports);
}

async function settle(_step: Step, scene: Scene, ports: InstanceWorkPorts): Promise<Again> {
  const { instance, parts } = scene.moment;
  const places = await placesOf(parts.claims, ports);
  const isNew = instance.operation.kind === 'provision';
  const trouble = isNew ? whyNotWhole(places, instance.wants) : undefined;
  if (trouble !== undefined) {
    return note({ ...giveBack({ instance, parts }), reason: trouble }, scene, ports);
  }
  const { namespace } = instance;
  const owned = parts.claims.filter((claim) => claim.owned);
  await Promise.all(owned.map((claim) => ports.parts.free(namespace, claim)));
  if (instance.wants.placeholder === 'go') {
    await Promise.all(
      parts.placeholders.map((one) => ports.parts.removePlaceholder(namespace, one)),
    );
  }
  return end(
    {
      ...{ state: 'succeeded', usable: true, repeatable: true },
      description: `${places.length} of ${instance.wants.count} volumes are there`,
      volumes: places.map(shownVolume),
    },
    scene,
    ports,
  );
}

async function fail(reason: string, scene: Scene, ports: InstanceWorkPorts): Promise<Again> {
  const { instance, parts } = scene.moment;
  const isNew = instance.operation.kind === 'provision';
  const bound = parts.claims.filter((claim) => claim.bound);
  const places = await placesOf(bound, ports);
  return end(
    {
      ...{ state: 'failed', description: reason, volumes: places.map(shownVolume) },
      usable: !isNew && bound.length === instance.wants.count,
      repeatable: !isNew,
    },
    scene,
    ports,
  );
}

async function lookForUsers(_step: Step, scene: Scene, ports: InstanceWorkPorts): Promise<Again> {
  const { instance, parts } = scene.moment;
  const names = parts.claims.map(({ name }) => name);
  const users = await ports.parts.usersOf(instance.namespace, names);
  if (users.length === 0) {
    return takeStep(unusedStep(scene.moment), scene, ports);
  }
  const description = describeUsers(users);
  if (instance.wants.inUse === 'refuse') {
    const { volumes } = instance.progress;
    const state = 'failed' as const;
    return end({ state, description, volumes, usable: true, repeatable: true }, scene, ports);
  }
  await tell(scene.stored, { description }, ports);
  return usedMs;
}

async function retain(_step: Step, scene: Scene, ports: InstanceWorkPorts): Promise<Again> {
  const { instance, parts } = scene.moment;
  const { namespace, wants, operation } = instance;
  const until = new Date(Date.parse(operation.startedAt) + wants.retainMs).toISOString();
  await Promise.all(parts.claims.map((claim) => ports.parts.retain(namespace, claim, until)));
  await Promise.all(parts.placeholders.map((one) => ports.parts.removePlaceholder(namespace, one)));
  return forget(_step, scene, ports);
}

async function forget(_step: Step, scene: Scene, ports: InstanceWorkPorts): Promise<Again> {
  if ((await ports.instances.remove(scene.stored)) === 'changed') {
    return 'soon';
  }
  hear('succeeded', scene, ports);
  return undefined;
}

/** Says why with the words of the scheduler, and of our own events, about those that were refused. */
async function giveUp(
  { why }: Extract<Step, { kind: 'give-up' }>,
  scene: Scene,
  ports: InstanceWorkPorts,
): Promise<Again> {
  const { instance, parts } = scene.moment;
  const refused = parts.placeholders.filter((one) => one.standing === 'refused');
  const ours = await toldOf(refused, 'BerthNoRoom', scene, ports);
  const isTold = (one: PlaceholderPart, index: number): boolean =>
    ours[index] !== '' || !isOursToTell(one) || Math.abs(ports.now() - one.refusedAt) >= eventMs;
  if (!refused.every(isTold)) {
    return goingMs;
  }
  const lacks = [...refused.map(({ message }) => message), ...ours];
  return undo(describeNoPlace(instance, parts, { why, lacks }), scene, ports);
}

function isOursToTell({ message }: PlaceholderPart): boolean {
  return message.includes('berth:');
}
