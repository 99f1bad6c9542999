import type { Instance, Wants, Work } from '../../../src/broker/instance.ts';
import type { Moment } from '../../../src/broker/next-step.ts';
import {
  claimName,
  placeholderName,
  type ClaimPart,
  type PlaceholderPart,
} from '../../../src/broker/parts.ts';
import type { OperationKind } from '../../../src/broker/instance.ts';
import { bytes } from '../../../src/model/bytes.ts';

export const uid = '0b5b6b3e-9a44-4c5d-8f6e-1d2c3b4a5968';
const startedAt = '2030-01-01T00:00:00.000Z';
export const start = Date.parse(startedAt);

export interface InstanceFacts {
  readonly kind?: OperationKind;
  readonly state?: 'in progress' | 'succeeded' | 'failed';
  readonly work?: Work;
  readonly wants?: Partial<Wants>;
  readonly startedAt?: string;
}

export function instanceWith(facts: InstanceFacts = {}): Instance {
  const { kind = 'provision', state = 'in progress', work, wants = {} } = facts;
  const present: Wants = {
    ...{ storageClass: 'fast', bytes: bytes(8), count: 2, spread: 'nodes' },
    ...{ volumeMode: 'Filesystem', placement: {}, placeholder: 'keep', inUse: 'refuse' },
    ...{ retainMs: 0, patienceMs: 60_000, ...wants },
  };
  const before = { planId: 'p', parameters: {}, wants: { ...present, bytes: bytes(4) } };
  return {
    ...{ id: 'i', serviceId: 's', planId: 'p', parameters: {}, context: {}, namespace: 'n' },
    ...{ wants: present, bindings: [] },
    operation: {
      ...{ id: 'op', kind, startedAt: facts.startedAt ?? startedAt },
      ...(kind === 'update' && { before }),
    },
    progress: {
      ...{ operationId: 'op', state, description: '', usable: false, repeatable: true },
      ...{ volumes: [], since: startedAt, ...(work && { work }) },
    },
  };
}

export function claimPart(index: number, more: Partial<ClaimPart> = {}): ClaimPart {
  const none = { bound: false, lost: false, deleting: false, owned: false, requested: bytes(8) };
  return { name: claimName(uid, index), uid: `c${index}`, ...none, ...more };
}

export function placeholderPart(
  index: number,
  standing: PlaceholderPart['standing'],
  askedAt = start,
): PlaceholderPart {
  const name = placeholderName(uid, index);
  return { name, uid: `p${index}`, standing, message: 'no room', askedAt, refusedAt: 0 };
}

export function momentOf(
  facts: InstanceFacts,
  claims: readonly ClaimPart[] = [],
  more: Partial<Pick<Moment, 'turn' | 'now'>> & { placeholders?: readonly PlaceholderPart[] } = {},
): Moment {
  const { placeholders = [], turn = 'wait', now = start + 1_000 } = more;
  return { instance: instanceWith(facts), uid, parts: { claims, placeholders }, turn, now };
}
