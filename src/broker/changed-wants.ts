import { formatBytes, type Bytes } from '../model/bytes.ts';
import { err, ok, type Result } from '../model/result.ts';
import { refusal, type Answer } from './answer.ts';
import type { Instance, Wants } from './instance.ts';
import type { Json, Plan } from './plan.ts';
import { isSame } from './same.ts';
import { askedSize, rulesOf } from './wants.ts';

export interface WantedChange {
  readonly stored: Instance;
  /** The plan after the change: another one, or the same. */
  readonly plan: Plan;
  /** Only what the request names; it fits the plan's schema. */
  readonly parameters: Readonly<Record<string, Json>>;
  /** Whether the instance takes up what its plan has become since it was made. */
  readonly isMaintained: boolean;
}

/**
 * What an instance is made of after a change. Volumes grow, and rules of the plan change;
 * everything that would need other volumes than those that are there is turned down.
 */
export function changedWants(change: WantedChange): Result<Wants, Answer> {
  const { stored, plan, parameters, isMaintained } = change;
  const { wants } = stored;
  const isRenewed = isMaintained || plan.id !== stored.planId;
  const asked = askedSize(plan.size, parameters['size']);
  if (!asked.ok) {
    return err(refusal(400, 'InvalidParameters', asked.error));
  }
  const bytes = asked.value ?? (isRenewed ? leastSize(plan, wants.bytes) : wants.bytes);
  const next = { ...wants, ...(isRenewed && renewed(plan, wants)), bytes };
  const hindrance = (isRenewed ? whyNotOf(plan, next, wants) : undefined) ?? whyNot(next, wants);
  return hindrance === undefined ? ok(next) : err(refusal(422, 'UnsupportedChange', hindrance));
}

/** The size that the plan gives to an instance that asks for none: what it has, where it may. */
function leastSize({ size }: Plan, present: Bytes): Bytes {
  if (size.kind === 'fixed') {
    return size.bytes;
  }
  return present < size.least ? size.least : present;
}

/** `cpu` and `memory` go with the plan, also where the new one has none. */
function renewed(plan: Plan, { count }: Wants): Omit<Wants, 'bytes'> {
  return { cpu: undefined, memory: undefined, ...rulesOf(plan), count };
}

function whyNotOf({ name, size, count }: Plan, next: Wants, now: Wants): string | undefined {
  const fixed = ['storageClass', 'volumeMode', 'spread', 'placement'] as const;
  const other = fixed.find((field) => !isSame(next[field], now[field]));
  if (other !== undefined) {
    return `plan ${name} has another ${other} than the volumes that are there`;
  }
  if (now.count < count.least || now.count > count.most) {
    return `plan ${name} has ${count.least} to ${count.most} volumes, the instance has ${now.count}`;
  }
  return size.kind === 'range' && next.bytes > size.most
    ? `plan ${name} has volumes of at most ${formatBytes(size.most)}, those of the instance have ${formatBytes(next.bytes)}`
    : undefined;
}

function whyNot(next: Wants, now: Wants): string | undefined {
  return next.bytes < now.bytes
    ? `volumes of ${formatBytes(now.bytes)} cannot shrink to ${formatBytes(next.bytes)}`
    : undefined;
}
