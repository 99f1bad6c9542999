import type { Bytes } from '../model/bytes.ts';
import type {
  CleanRequest,
  DiscoveredPool,
  DiscoveryPlan,
  DiscoveryPool,
} from '../model/discovery.ts';
import type { VolumeMode } from '../model/volume.ts';

/** An entry of a discovery directory as it is on disk. */
export interface FoundEntry {
  readonly name: string;
  readonly path: string;
  readonly kind: 'filesystem' | 'device';
  /** What the medium is known by; missing where there is none, or where another entry has it. */
  readonly id?: string | undefined;
  readonly bytes: Bytes;
  readonly mode: VolumeMode;
  /** The kernel's path of a device. */
  readonly source?: string | undefined;
  /** Why nobody may have it, and why it is not touched either. */
  readonly refusal?: string | undefined;
  /** Who uses it now. */
  readonly use?: string | undefined;
}

export interface FoundPool {
  readonly pool: string;
  /** Set without entries where the directory could not be read. */
  readonly problem?: string | undefined;
  readonly entries: readonly FoundEntry[];
}

export type LookForMedia = (
  pools: readonly DiscoveryPool[],
  signal: AbortSignal,
) => Promise<readonly FoundPool[]>;

/**
 * Takes everything off a medium that its last owner left there. May be repeated.
 *
 * @returns what was done, for people
 * @throws Error while somebody uses it, or where it is no longer what was found; nothing is
 * touched then
 */
export type CleanMedium = (
  entry: FoundEntry,
  plan: DiscoveryPlan,
  signal: AbortSignal,
) => Promise<string>;

/** What of this node's StorageNode speaks of discovery. */
export interface DiscoveryBoard {
  /** From memory. */
  requests(): readonly CleanRequest[];
  /** Whether the very same request still stands. Live. */
  isAsked(request: CleanRequest): Promise<boolean>;
  /** What the last agent wrote; live. */
  read(): Promise<readonly DiscoveredPool[]>;
  write(pools: readonly DiscoveredPool[]): Promise<void>;
}
