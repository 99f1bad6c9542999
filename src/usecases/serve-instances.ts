import { concurrent, type Answer, type Decision } from '../broker/answer.ts';
import {
  decideBind,
  decideBindingOperation,
  decideFetchBinding,
  decideUnbind,
} from '../broker/bind.ts';
import { decideDeprovision } from '../broker/deprovision.ts';
import type { Instance } from '../broker/instance.ts';
import { decideFetch, decideLastOperation } from '../broker/look.ts';
import { decideProvision } from '../broker/provision.ts';
import type * as requests from '../broker/requests.ts';
import type { Surroundings } from '../broker/surroundings.ts';
import { decideUpdate } from '../broker/update.ts';
import type { InstanceStore, StoredInstance } from './broker-ports.ts';
import { withinQuota } from './instance-quota.ts';

/** What a platform may ask of instances. Each may be repeated, to any replica. */
export interface InstanceService {
  readonly provision: (request: requests.ProvisionRequest) => Promise<Answer>;
  readonly fetch: (instanceId: string) => Promise<Answer>;
  readonly update: (request: requests.UpdateRequest) => Promise<Answer>;
  readonly deprovision: (request: requests.DeprovisionRequest) => Promise<Answer>;
  readonly lastOperation: (request: requests.LastOperationRequest) => Promise<Answer>;
  readonly bind: (request: requests.BindRequest) => Promise<Answer>;
  readonly fetchBinding: (instanceId: string, bindingId: string) => Promise<Answer>;
  readonly unbind: (request: requests.UnbindRequest) => Promise<Answer>;
  readonly bindingOperation: (request: requests.BindingOperationRequest) => Promise<Answer>;
}

export interface ServiceParts {
  readonly store: Pick<InstanceStore, 'get' | 'list' | 'create' | 'ask'>;
  /** As they are now: the catalog may change at any time. */
  readonly surroundings: () => Surroundings;
}

/** Each time somebody else has written in between; more often than this is a quarrel. */
const mostAttempts = 12;

/**
 * Answers from what is stored and nothing else.
 *
 * @throws what the store throws; the same request can be sent again then
 */
export function serveInstances({ store, surroundings }: ServiceParts): InstanceService {
  const keepQuota = withinQuota(store);

  async function write(
    read: StoredInstance | undefined,
    decision: Exclude<Decision, { kind: 'answer' }>,
  ): Promise<boolean> {
    if (decision.kind === 'create') {
      return (await store.create(decision.instance)) === 'created';
    }
    return read !== undefined && (await store.ask(read, decision.next)) === 'written';
  }

  async function settle(
    id: string,
    decide: (stored: Instance | undefined) => Decision,
  ): Promise<Answer> {
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
      const read = await store.get(id);
      const decision = decide(read?.instance);
      if (decision.kind === 'answer') {
        return decision.answer;
      }
      const next = decision.kind === 'create' ? decision.instance : decision.next;
      const written =
        next.planId === read?.instance.planId
          ? await write(read, decision)
          : await keepQuota(next, surroundings().catalog, () => write(read, decision));
      if (written !== false) {
        return written === true ? decision.answer : written;
      }
    }
    return concurrent('the instance is being changed by others');
  }

  return {
    provision: (request) =>
      settle(request.instanceId, (stored) => decideProvision(request, stored, surroundings())),
    fetch: (id) => settle(id, decideFetch),
    update: (request) =>
      settle(request.instanceId, (stored) => decideUpdate(request, stored, surroundings())),
    deprovision: (request) =>
      settle(request.instanceId, (stored) => decideDeprovision(request, stored, surroundings())),
    lastOperation: (request) =>
      settle(request.instanceId, (stored) => decideLastOperation(request, stored)),
    bind: (request) =>
      settle(request.instanceId, (stored) => decideBind(request, stored, surroundings())),
    fetchBinding: (instanceId, bindingId) =>
      settle(instanceId, (stored) => decideFetchBinding(bindingId, stored, surroundings())),
    unbind: (request) => settle(request.instanceId, (stored) => decideUnbind(request, stored)),
    bindingOperation: (request) =>
      settle(request.instanceId, (stored) => decideBindingOperation(request, stored)),
  };
}
