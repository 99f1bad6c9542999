import { watch, type FSWatcher } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError } from '../model/errors.ts';
import type { PodVolumes } from '../usecases/io-limit-ports.ts';
import type { Log } from '../usecases/ports.ts';
import { errorCode } from './files.ts';

/** The folder of kubelet's plugin for local PersistentVolumes: `kubernetes.io/local-volume`. */
const plugin = 'kubernetes.io~local-volume';
/** Below a pod's folder: volumes with a filesystem, and raw ones. */
const kinds = ['volumes', 'volumeDevices'];

/**
 * kubelet keeps `pods/<uid>/volumes/kubernetes.io~local-volume/<PersistentVolume>` for as long as
 * the pod has the volume, and makes it before it starts a container of the pod.
 */
export function podVolumes(kubeletDir: string, log: Log): PodVolumes {
  const podsDir = join(kubeletDir, 'pods');

  async function volumesOf(pod: string): Promise<readonly string[]> {
    const folders = kinds.map((kind) => join(podsDir, pod, kind, plugin));
    return (await Promise.all(folders.map(namesIn))).flat();
  }

  async function watchPods(onChange: (pod: string) => void, signal: AbortSignal): Promise<void> {
    const watched = new Map<string, readonly FSWatcher[]>();
    const close = (pod: string): void => {
      watched.get(pod)?.forEach((watcher) => watcher.close());
      watched.delete(pod);
    };
    /** A folder can be watched only once it is there: each that appears lets all be opened anew. */
    const reopen = (pod: string): void => {
      close(pod);
      const look = (): void => {
        reopen(pod);
        onChange(pod);
      };
      const watchers = foldersOf(podsDir, pod).flatMap((path) => watchIfThere(path, look, log));
      if (watchers.length > 0) {
        watched.set(pod, watchers);
      }
    };
    const all = watch(podsDir, { persistent: false }, (_, pod) => {
      if (pod !== null) {
        reopen(pod);
        onChange(pod);
      }
    });
    signal.addEventListener('abort', () => {
      all.close();
      [...watched.keys()].forEach(close);
    });
    (await readdir(podsDir)).forEach(reopen);
  }

  async function pods(): Promise<readonly string[]> {
    const found = await readdir(podsDir);
    // The agent is a pod itself: where there is none, kubelet keeps them elsewhere.
    if (found.length === 0) {
      throw new Error(
        `${podsDir} holds no pod at all: it is not the folder of this node's kubelet`,
      );
    }
    return found;
  }

  return { pods, volumesOf, watch: watchPods };
}

function foldersOf(podsDir: string, pod: string): readonly string[] {
  const folder = join(podsDir, pod);
  return [folder, ...kinds.flatMap((kind) => [join(folder, kind), join(folder, kind, plugin)])];
}

function watchIfThere(path: string, onEvent: () => void, log: Log): readonly FSWatcher[] {
  try {
    const watcher = watch(path, { persistent: false }, onEvent);
    watcher.on('error', () => watcher.close());
    return [watcher];
  } catch (error) {
    if (!isMissing(error)) {
      log.warn('a folder of kubelet is not watched', { path, error: describeError(error) });
    }
    return [];
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) {
      return [];
    }
    throw error;
  }
}

/** A pod ends at any moment, and its folders with it. */
function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '');
}
