import type {
  CleanRequest,
  DiscoveredEntry,
  DiscoveredPool,
  DiscoveryPool,
} from '../model/discovery.ts';
import type { ClaimRef, VolumeMode } from '../model/volume.ts';

/** A Local PersistentVolume of a node, whoever made it. */
export interface MediumVolume {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Missing for one that is not looked after by Berth. */
  readonly id?: string | undefined;
  /** Empty for one that is not looked after by Berth. */
  readonly pool: string;
  /** Made by the local static provisioner. */
  readonly isStatic: boolean;
  readonly path: string;
  readonly bytes: number;
  readonly mode: VolumeMode;
  readonly className: string;
  readonly phase: string;
  readonly claim?: Partial<ClaimRef> | undefined;
  readonly reclaimPolicy: string;
  readonly deleting: boolean;
}

/** A pool of the backend `discovery`, for one node. */
export interface OfferedPool extends DiscoveryPool {
  /** It selects the node, and is not going. */
  readonly applies: boolean;
  /** Why nothing new can be offered in it. */
  readonly problem?: string | undefined;
}

export interface DiscoveryFacts {
  readonly node: string;
  readonly nodeExists: boolean;
  readonly pools: readonly OfferedPool[];
  readonly found: readonly DiscoveredPool[];
  readonly requests: readonly CleanRequest[];
  /** All Local PersistentVolumes of this node. */
  readonly volumes: readonly MediumVolume[];
  /** A PersistentVolume of another node that is or was of this medium, which that node has lost. */
  readonly elsewhere: (id: string) => string | undefined;
}

export type DiscoveryAction =
  | { readonly kind: 'make'; readonly entry: DiscoveredEntry; readonly pool: DiscoveryPool }
  /** Nobody has it, and it must not be offered any longer. */
  | { readonly kind: 'withdraw'; readonly volume: MediumVolume; readonly why: string }
  /** The static provisioner's, and somebody has or had it: Berth remembers its medium. */
  | {
      readonly kind: 'takeOver';
      readonly volume: MediumVolume;
      readonly entry: DiscoveredEntry;
      readonly pool: DiscoveryPool;
    }
  /** Its claim seems gone: marked deleted, once that is seen live. */
  | { readonly kind: 'release'; readonly volume: MediumVolume }
  /** Marked deleted: its medium has to be cleaned. */
  | { readonly kind: 'ask'; readonly volume: MediumVolume & { readonly id: string } }
  /** Nothing is left to be done for it. */
  | { readonly kind: 'end'; readonly volume: MediumVolume; readonly why?: string }
  | { readonly kind: 'forget'; readonly request: CleanRequest }
  | { readonly kind: 'warn'; readonly volume: MediumVolume; readonly text: string };

/** Nobody has a claim on it. */
export function isUnclaimed({ claim, phase }: MediumVolume): boolean {
  return claim === undefined && ['Pending', 'Available'].includes(phase);
}

export function entryOf(
  id: string,
  { found }: Pick<DiscoveryFacts, 'found'>,
): DiscoveredEntry | undefined {
  return found.flatMap(({ entries }) => entries).find((entry) => entry.id === id);
}

/** Its directory was read, and what it is made of was not in it. */
export function isMissing(
  { id, pool }: { readonly id: string; readonly pool: string },
  facts: Pick<DiscoveryFacts, 'found'>,
): boolean {
  const isRead = facts.found.some((one) => one.pool === pool && one.healthy);
  return isRead && entryOf(id, facts) === undefined;
}

export function isIn({ path }: { readonly path: string }, directory: string): boolean {
  return path.startsWith(`${directory}/`);
}
