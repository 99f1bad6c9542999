import type { InstanceStore, StoredInstance } from '../../../src/usecases/broker-ports.ts';

/** Instances in memory, with the same promises as those in the cluster. */
export function memoryStore(): InstanceStore {
  const all = new Map<string, StoredInstance>();
  let writes = 0;
  const put = (instance: StoredInstance['instance'], uid: string): void => {
    writes += 1;
    all.set(instance.id, structuredClone({ instance, uid, version: String(writes) }));
  };
  const ifSame = (read: StoredInstance, work: (now: StoredInstance) => void) => {
    const now = all.get(read.instance.id);
    if (now?.version !== read.version) {
      return 'changed' as const;
    }
    work(now);
    return 'written' as const;
  };
  return {
    get: async (id) => structuredClone(all.get(id)),
    list: async () => structuredClone([...all.values()]),
    create: async (instance) => {
      if (all.has(instance.id)) {
        return 'exists';
      }
      put(instance, `uid-${writes}`);
      return 'created';
    },
    ask: async (read, next) =>
      ifSame(read, ({ instance: { id, progress }, uid }) => put({ ...next, id, progress }, uid)),
    tell: async (read, progress) =>
      ifSame(read, ({ instance, uid }) => put({ ...instance, progress }, uid)),
    remove: async (read) => ifSame(read, ({ instance }) => void all.delete(instance.id)),
  };
}
