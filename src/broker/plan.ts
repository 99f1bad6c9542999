import type { Bytes } from '../model/bytes.ts';
import type { FsType, VolumeMode } from '../model/volume.ts';

/** A JSON value as it came: parameters, contexts, parts of pods. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** One size for all, or what a request may ask for. */
export type SizeRule =
  | { readonly kind: 'fixed'; readonly bytes: Bytes }
  | {
      readonly kind: 'range';
      readonly least: Bytes;
      readonly most: Bytes;
      /** What a request gets that names none. */
      readonly usual: Bytes;
    };

/** How many volumes an instance has. */
export interface CountRule {
  readonly least: number;
  readonly most: number;
  readonly usual: number;
}

/** Where the volumes of one instance stand to each other: on as many different of these. */
export const spreads = ['none', 'nodes', 'zones'] as const;
export type Spread = (typeof spreads)[number];

/**
 * What becomes of the placeholder pods once the volumes are there: `keep` holds cpu and memory
 * on the node with a low priority until the real workload pushes them away, `go` lets go at once.
 */
export const placeholderRules = ['keep', 'go'] as const;
export type PlaceholderRule = (typeof placeholderRules)[number];

/** A request to deprovision while pods use the volumes: turned down, or done when they are gone. */
export const inUseRules = ['refuse', 'wait'] as const;
export type InUseRule = (typeof inUseRules)[number];

/** Where placeholders, and so the volumes, may be: as in the spec of a pod, passed on as it is. */
export interface PlacementRules {
  readonly nodeSelector?: Readonly<Record<string, string>> | undefined;
  readonly tolerations?: readonly Json[] | undefined;
  /** `nodeAffinity`, `podAffinity`, `podAntiAffinity` of a pod. */
  readonly affinity?: Json | undefined;
}

/** One plan of the catalog: what its instances are made of. */
export interface Plan {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly free: boolean;
  readonly metadata?: Json | undefined;
  readonly storageClass: string;
  readonly size: SizeRule;
  readonly count: CountRule;
  readonly spread: Spread;
  readonly volumeMode: VolumeMode;
  /** Of the filesystem, where the class leaves it open; for mount hints. */
  readonly fsType?: FsType | undefined;
  /** Quantities that the later workload needs beside each volume. */
  readonly cpu?: string | undefined;
  readonly memory?: string | undefined;
  readonly placement: PlacementRules;
  readonly placeholder: PlaceholderRule;
  readonly inUse: InUseRule;
  /** How long volumes are kept after deprovision; 0 erases them at once. */
  readonly retainMs: number;
  /** How many instances of this plan one namespace may have. */
  readonly quota?: number | undefined;
  /** How long an instance may wait for room before it fails. */
  readonly patienceMs: number;
  readonly maximumPollingSeconds?: number | undefined;
  readonly maintenance?: { readonly version: string; readonly description?: string } | undefined;
  /** The plans of the service that an instance may change to; all where missing. */
  readonly updatableTo?: readonly string[] | undefined;
}

export interface Service {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly metadata?: Json | undefined;
  readonly plans: readonly Plan[];
}

/** All that the broker offers. Ids and names differ from each other, over all services. */
export interface Catalog {
  readonly services: readonly Service[];
}
