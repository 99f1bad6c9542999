import type { Instance, Work } from './instance.ts';
import {
  claimName,
  leastAsk,
  placeholderName,
  volumesOf,
  type ClaimPart,
  type Parts,
  type PlaceholderPart,
} from './parts.ts';
import type { Turn } from './queue.ts';
import { isRunning, leavingOf, workOf } from './work.ts';

/** An instance at one moment, with all that the next step rests on. */
export interface Moment {
  readonly instance: Instance;
  /** Of its record. */
  readonly uid: string;
  readonly parts: Parts;
  readonly turn: Turn;
  readonly now: number;
}

/**
 * What to do next for an instance. Each step may be done twice, or be cut off in the middle: what
 * comes next follows from what is there then.
 */
export type Step =
  /** Nothing, until something changes. */
  | { readonly kind: 'rest' }
  /** Look again in a moment. */
  | { readonly kind: 'wait' }
  /** Write down where the work is, before anything is done that must be found again. */
  | { readonly kind: 'note'; readonly work: Work }
  | { readonly kind: 'make'; readonly claims: readonly number[]; readonly pods: readonly number[] }
  /** Take placeholders away; those that are needed are made anew afterwards. */
  | { readonly kind: 'clear'; readonly placeholders: readonly PlaceholderPart[] }
  /** Take everything away. */
  | { readonly kind: 'take-away' }
  /** See which of the volumes that were given up have gone. */
  | { readonly kind: 'see-gone'; readonly work: Work }
  /** Every claim is bound: see where, and end well, or give back. */
  | { readonly kind: 'settle' }
  /** There is no place, or not in time: say why, and undo. */
  | { readonly kind: 'give-up'; readonly why: 'room' | 'patience' }
  | { readonly kind: 'grow'; readonly claims: readonly ClaimPart[] }
  | { readonly kind: 'give-up-growing' }
  /** The claims ask for less again, as far as they may. */
  | { readonly kind: 'shrink'; readonly claims: readonly ClaimPart[] }
  | { readonly kind: 'fail'; readonly reason: string }
  /** See who uses the volumes, and go on if nobody does. */
  | { readonly kind: 'look-for-users' }
  /** Mark the claims with the time of their end. */
  | { readonly kind: 'retain' }
  | { readonly kind: 'forget' };

const rest: Step = { kind: 'rest' };
const wait: Step = { kind: 'wait' };

export function nextStep(moment: Moment): Step {
  const { instance } = moment;
  if (!isRunning(instance)) {
    return afterwards(moment);
  }
  switch (instance.operation.kind) {
    case 'provision':
      return provisionStep(moment);
    case 'update':
      return updateStep(moment);
    case 'deprovision':
      return deprovisionStep(moment);
  }
}

/** Nothing is left of what could not be made, also where somebody slow has made a part too late. */
function afterwards({ instance, parts }: Moment): Step {
  const { operation, progress, wants } = instance;
  if (operation.kind === 'provision' && progress.state === 'failed') {
    return isEmpty(parts) ? rest : { kind: 'take-away' };
  }
  const isNeedless = progress.state === 'succeeded' && wants.placeholder === 'go';
  return isNeedless ? clearOr(parts.placeholders, rest) : rest;
}

function provisionStep(moment: Moment): Step {
  const { instance, turn } = moment;
  const work = workOf(instance);
  switch (work?.step) {
    case 'undoing':
      return leave(moment, work, { kind: 'fail', reason: work.reason ?? '' });
    case 'waiting':
      return isOver(moment)
        ? { kind: 'give-up', why: 'patience' }
        : leave(moment, work, turn === 'enter' ? enter(instance) : wait);
    case 'placing':
      return placingStep(moment);
    default:
      return turn === 'enter' ? enter(instance) : waitInTime(moment);
  }
}

function enter(instance: Instance): Step {
  return { kind: 'note', work: { step: 'placing', leaving: leavingOf(instance) } };
}

function waitInTime(moment: Moment): Step {
  return isOver(moment) ? { kind: 'give-up', why: 'patience' } : wait;
}

function placingStep(moment: Moment): Step {
  const { instance, parts, turn } = moment;
  const { claims, placeholders } = parts;
  if (claims.some(({ deleting, lost }) => deleting || lost)) {
    return { kind: 'note', work: giveBack(moment) };
  }
  if (claims.filter(({ bound }) => bound).length >= instance.wants.count) {
    return { kind: 'settle' };
  }
  if (isOver(moment)) {
    return { kind: 'give-up', why: 'patience' };
  }
  const ended = placeholders.filter(({ standing }) => standing === 'ended');
  return clearOr(ended, missingOr(moment, ofTurn(moment, turn)));
}

function missingOr({ instance, uid, parts }: Moment, otherwise: Step): Step {
  const indexes = [...Array(instance.wants.count).keys()];
  const without = (
    known: readonly { readonly name: string }[],
    nameOf: (uid: string, index: number) => string,
  ): readonly number[] => indexes.filter((i) => !known.some(({ name }) => name === nameOf(uid, i)));
  const claims = without(parts.claims, claimName);
  const pods = without(parts.placeholders, placeholderName);
  return claims.length + pods.length > 0 ? { kind: 'make', claims, pods } : otherwise;
}

function ofTurn(moment: Moment, turn: Turn): Step {
  switch (turn) {
    case 'ask': {
      const { placeholders } = moment.parts;
      return {
        kind: 'clear',
        placeholders: placeholders.filter((one) => one.standing === 'refused'),
      };
    }
    case 'give-back':
      return { kind: 'note', work: giveBack(moment) };
    case 'fail':
      return { kind: 'give-up', why: 'room' };
    default:
      return wait;
  }
}

/** Everything goes, and the instance comes again later. */
export function giveBack({ instance, parts }: Pick<Moment, 'instance' | 'parts'>): Work {
  return withLeaving({ step: 'waiting', leaving: leavingOf(instance) }, parts);
}

/** The names of volumes are noted before their claims go: nobody could find them afterwards. */
function withLeaving(work: Work, { claims }: Parts): Work {
  return { ...work, leaving: [...new Set([...work.leaving, ...volumesOf(claims)])] };
}

function leave({ parts }: Moment, work: Work, then: Step): Step {
  const noted = withLeaving(work, parts);
  if (noted.leaving.length > work.leaving.length) {
    return { kind: 'note', work: noted };
  }
  if (!isEmpty(parts)) {
    return { kind: 'take-away' };
  }
  return work.leaving.length > 0 ? { kind: 'see-gone', work } : then;
}

function updateStep(moment: Moment): Step {
  const { instance, parts, uid } = moment;
  const { wants } = instance;
  const work = workOf(instance);
  if (work?.step === 'undoing') {
    return shrinkStep(moment, work);
  }
  for (let index = 0; index < wants.count; index += 1) {
    const claim = parts.claims.find(({ name }) => name === claimName(uid, index));
    if (claim?.bound !== true || claim.deleting) {
      return { kind: 'fail', reason: `claim ${claimName(uid, index)} is not there any more` };
    }
  }
  const small = parts.claims.filter(({ requested }) => requested < wants.bytes);
  if (small.length > 0) {
    return { kind: 'grow', claims: small };
  }
  if (parts.claims.every(({ capacity }) => capacity !== undefined && capacity >= wants.bytes)) {
    return { kind: 'settle' };
  }
  return isOver(moment) ? { kind: 'give-up-growing' } : wait;
}

function shrinkStep({ instance, parts }: Moment, { reason = '' }: Work): Step {
  const least = instance.operation.before?.wants.bytes ?? instance.wants.bytes;
  const open = parts.claims.filter((claim) => claim.requested > leastAsk(claim, least));
  return open.length > 0 ? { kind: 'shrink', claims: open } : { kind: 'fail', reason };
}

function deprovisionStep(moment: Moment): Step {
  const { instance, parts } = moment;
  const work = workOf(instance);
  if (work?.step === 'leaving') {
    return leave(moment, work, { kind: 'forget' });
  }
  if (parts.claims.some(({ bound, deleting }) => bound && !deleting)) {
    return { kind: 'look-for-users' };
  }
  return { kind: 'note', work: leaving(moment) };
}

/** What follows once it is known that no pod uses the volumes. */
export function unusedStep(moment: Pick<Moment, 'instance' | 'parts'>): Step {
  return moment.instance.wants.retainMs > 0
    ? { kind: 'retain' }
    : { kind: 'note', work: leaving(moment) };
}

function leaving({ instance, parts }: Pick<Moment, 'instance' | 'parts'>): Work {
  return withLeaving({ step: 'leaving', leaving: leavingOf(instance) }, parts);
}

function clearOr(placeholders: readonly PlaceholderPart[], otherwise: Step): Step {
  return placeholders.length > 0 ? { kind: 'clear', placeholders } : otherwise;
}

function isOver({ instance, now }: Moment): boolean {
  const { operation, wants } = instance;
  return now - Date.parse(operation.startedAt) > wants.patienceMs;
}

function isEmpty({ claims, placeholders }: Parts): boolean {
  return claims.length === 0 && placeholders.length === 0;
}
