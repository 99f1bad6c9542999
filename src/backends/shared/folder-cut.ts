import type { BigIntStats } from 'node:fs';
import type { Bytes } from '../../model/bytes.ts';
import type { ErasePolicy } from '../../model/volume.ts';
import type { Folder } from './folder-lookup.ts';

/** What one pool of folders does its own way: how the data of a volume is made, limited and removed. */
export interface FolderCut {
  /** Done before every call, so it costs nothing when all is well. @throws PoolUnusableError */
  check(signal: AbortSignal): Promise<void>;
  /** Why something that has the name of a volume's data is not what this cut makes. */
  readonly whyNotData: (stat: BigIntStats) => string | undefined;
  /**
   * What volumes have got of the filesystem so far, and what somebody should know. A volume that
   * has lost its limit gets it back.
   */
  measure(folders: readonly Folder[], signal: AbortSignal): Promise<CutUsage>;
  /**
   * Makes the data at a path where nothing is, with its limit.
   *
   * @param remember - writes down what the limit is known by; done before anything of that id
   * could be left behind by a crash
   */
  make(
    data: string,
    size: Bytes,
    remember: (quotaId?: number) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Does with the bytes what can only be done before they are removed. @returns what is done, for people */
  erase(data: string, erase: ErasePolicy, size: string, signal: AbortSignal): Promise<string>;
  /**
   * Takes the data away with all that is in it, and then its limit. Each may be gone already; the
   * space is free when this is done.
   */
  destroy(data: string, quotaId: number | undefined): Promise<void>;
}

export interface CutUsage {
  /** What the volume uses; never more than is sure. */
  readonly usedBy: (folder: Folder) => Bytes;
  readonly warnings: readonly string[];
}
