import { isNotFound, type KubeApi } from './api.ts';

/** The object as it is now, or nothing where there is none. */
export async function readLive<T>(api: KubeApi, path: string): Promise<T | undefined> {
  try {
    return await api.get<T>(path);
  } catch (error) {
    if (isNotFound(error)) {
      return undefined;
    }
    throw error;
  }
}
