import { refusal, type Answer } from '../broker/answer.ts';
import type { Instance } from '../broker/instance.ts';
import { inForce, standingOf } from '../broker/standing.ts';
import { findPlan, findService } from '../broker/surroundings.ts';
import type { Catalog } from '../broker/plan.ts';
import type { InstanceStore } from './broker-ports.ts';
import { rowPerKey } from './one-at-a-time.ts';

/** Writes an instance that is new to its plan, or says that the plan has no room for it. */
export type WithinQuota = <T>(
  instance: Instance,
  catalog: Catalog,
  write: () => Promise<T>,
) => Promise<T | Answer>;

/**
 * Keeps the number of instances that a plan allows in one namespace. Requests to this process
 * wait for each other; replicas that are asked at the same moment may each let one pass.
 */
export function withinQuota(store: Pick<InstanceStore, 'list'>): WithinQuota {
  const rows = rowPerKey();
  return async (instance, catalog, write) => {
    const { serviceId, planId, namespace } = instance;
    const plan = findPlan(findService(catalog, serviceId), planId);
    const quota = plan?.quota;
    if (quota === undefined) {
      return write();
    }
    return rows(`${namespace}/${planId}`)(async () => {
      const all = (await store.list()).map((stored) => stored.instance);
      const others = all.filter((other) => other.id !== instance.id && isOfSame(other, instance));
      return others.length < quota
        ? write()
        : refusal(
            422,
            'QuotaExceeded',
            `namespace ${namespace} has ${others.length} instances of plan ${plan?.name ?? planId}: ${quota} are allowed`,
          );
    });
  };
}

function isOfSame(other: Instance, { planId, namespace }: Instance): boolean {
  return (
    other.namespace === namespace &&
    inForce(other).planId === planId &&
    standingOf(other) !== 'gone'
  );
}
