import type { SecretSlot } from '../../../src/certs/store.ts';

export interface MemorySlot extends SecretSlot {
  /** What another writer put there, whatever the version. */
  put(texts: Record<string, string> | undefined): void;
  readonly writes: number;
}

/** A Secret in memory, with the API server's rules about who may write. */
export function memorySlot(): MemorySlot {
  let texts: Readonly<Record<string, string>> | undefined;
  let version = 0;
  let writes = 0;
  const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const write = (next: Readonly<Record<string, string>>): true => {
    texts = next;
    version += 1;
    writes += 1;
    return true;
  };
  return {
    read: async () => {
      await pause();
      return texts && { version: String(version), texts };
    },
    create: async (next) => {
      await pause();
      return texts === undefined && write(next);
    },
    replace: async (at, next) => {
      await pause();
      return texts !== undefined && at === String(version) && write({ ...texts, ...next });
    },
    put: (next) => {
      texts = next;
      version += 1;
    },
    get writes() {
      return writes;
    },
  };
}
