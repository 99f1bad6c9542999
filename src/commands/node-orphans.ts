import { apiVersion } from '../model/names.ts';
import { sleep } from '../platform/sleep.ts';
import { Controller } from '../usecases/controller.ts';
import type { OrphanStanding } from '../usecases/node-ports.ts';
import { OrphanClock } from '../usecases/orphan-clock.ts';
import { orphanKey } from '../usecases/orphans.ts';
import type { InTurn } from '../usecases/one-at-a-time.ts';
import type { Log, ObjectRef } from '../usecases/ports.ts';
import { orphanPurger } from '../usecases/purge-orphans.ts';
import type { NodeParts } from './node-parts.ts';

export interface OrphanLoop {
  /** The StorageNode, for events about what is on the disks. */
  readonly about: () => ObjectRef;
  /** Takes over all orphans there are. */
  readonly see: (orphans: readonly OrphanStanding[]) => void;
  /** To be called when all is read: it begins with all requests there are. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

export interface OrphanLoopOptions {
  readonly node: string;
  readonly log: Log;
  readonly rowOf: (key: string) => InTurn;
  readonly onError: (key: string, error: unknown, pauseMs: number | undefined) => void;
  /** What is on disk has changed. */
  readonly changed: () => void;
}

/** Purges what others ask for and what was kept long enough; waits on timers, never by looking. */
export function orphanLoop(parts: NodeParts, options: OrphanLoopOptions): OrphanLoop {
  const { memory, requests } = parts;
  const { node } = options;
  const clock = new OrphanClock(Date.now, () => performance.now());
  let known: ReadonlyMap<string, OrphanStanding> = new Map();
  const about = (): ObjectRef => {
    const uid = memory.storageNode.get(node)?.metadata.uid;
    return { apiVersion, kind: 'StorageNode', name: node, uid };
  };
  const purging = new Controller({
    reconcile: orphanPurger({
      ...parts,
      ...options,
      clock,
      about,
      orphans: { get: (key) => known.get(key) },
      owners: parts.owners,
    }),
    onError: options.onError,
    sleep,
  });

  function listen(): void {
    memory.storageNode.onChange((before, after) => {
      const asked = new Set(before?.spec?.purge?.map((entry) => JSON.stringify(entry)));
      const news = after?.spec?.purge?.filter((entry) => !asked.has(JSON.stringify(entry))) ?? [];
      if (news.length > 0) {
        // A pool that no longer applies is open again for the sake of an entry.
        parts.refreshPools();
        news.forEach((entry) => purging.enqueue(orphanKey(entry)));
      }
    });
  }

  return {
    about,
    see: (orphans) => {
      const before = known;
      known = new Map(orphans.map((orphan) => [orphanKey(orphan), orphan]));
      clock.see(orphans);
      for (const [key, orphan] of known) {
        // One that is as it was has its timer, or its pause after a failure.
        if (JSON.stringify(before.get(key)) !== JSON.stringify(orphan)) {
          purging.enqueue(key);
        }
      }
    },
    run: (signal) => {
      requests.list().forEach((request) => purging.enqueue(orphanKey(request)));
      listen();
      return purging.run(signal);
    },
  };
}
