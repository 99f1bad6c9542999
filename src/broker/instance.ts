import type { Bytes } from '../model/bytes.ts';
import type { VolumeMode } from '../model/volume.ts';
import type { InUseRule, Json, PlaceholderRule, PlacementRules, Spread } from './plan.ts';

/**
 * One service instance, as it is kept in a `BrokerInstance` object: the whole memory of the broker.
 *
 * The answering half writes `asked`, `bindings` and `operation`; the working half makes the cluster
 * so, and writes `progress`. Each write names the version it has read, so of two at the same time
 * one is turned down and decides anew.
 */
export interface Instance {
  /** As the platform names it, any text. */
  readonly id: string;
  readonly serviceId: string;
  readonly planId: string;
  /** The request, to tell a repeated one from another with the same id. */
  readonly parameters: Readonly<Record<string, Json>>;
  readonly context: Readonly<Record<string, Json>>;
  readonly maintenanceVersion?: string | undefined;
  /** Where its claims are. */
  readonly namespace: string;
  /** What the plan and the parameters came to; later changes of the catalog do not touch it. */
  readonly wants: Wants;
  readonly bindings: readonly Binding[];
  readonly operation: Operation;
  readonly progress: Progress;
}

/** What an instance is to be made of. */
export interface Wants {
  readonly storageClass: string;
  readonly bytes: Bytes;
  readonly count: number;
  readonly spread: Spread;
  readonly volumeMode: VolumeMode;
  readonly cpu?: string | undefined;
  readonly memory?: string | undefined;
  readonly placement: PlacementRules;
  readonly placeholder: PlaceholderRule;
  readonly inUse: InUseRule;
  readonly retainMs: number;
  readonly patienceMs: number;
}

export interface Binding {
  readonly id: string;
  readonly parameters: Readonly<Record<string, Json>>;
  readonly context: Readonly<Record<string, Json>>;
  readonly madeAt: string;
}

export const operationKinds = ['provision', 'update', 'deprovision'] as const;
export type OperationKind = (typeof operationKinds)[number];

/** The last thing that was asked for; only one runs at a time. */
export interface Operation {
  /** Handed to the platform, which hands it back when it polls. */
  readonly id: string;
  readonly kind: OperationKind;
  /** ISO 8601. */
  readonly startedAt: string;
  /** What an update came from; taken up again when it fails. */
  readonly before?:
    Pick<Instance, 'planId' | 'parameters' | 'wants' | 'maintenanceVersion'> | undefined;
}

/** How far the operation is, in the OSB API's own words. */
export type OperationState = 'in progress' | 'succeeded' | 'failed';

/** How far the working half has come. It belongs to the operation whose id it names, and to no other. */
export interface Progress {
  readonly operationId: string;
  readonly state: OperationState;
  /** For people: how far it is, or why it failed. */
  readonly description: string;
  /** After a failure: whether the instance is as it was before, and can be used. */
  readonly usable: boolean;
  /** After a failed update: whether another try makes sense. */
  readonly repeatable: boolean;
  readonly volumes: readonly InstanceVolume[];
  readonly since: string;
  /** What the working half notes for itself between its steps; nobody else reads it. */
  readonly work?: Work | undefined;
}

/**
 * Where the work on an operation is.
 *
 * `placing`: claims and placeholders are there, or on their way. `waiting`: everything was given
 * back, until others have found their places. `undoing`: everything goes, and the operation has
 * failed then. `leaving`: everything goes for good, the record last.
 */
export interface Work {
  readonly step: 'placing' | 'waiting' | 'undoing' | 'leaving';
  /** Why the operation fails. */
  readonly reason?: string | undefined;
  /** Names of volumes that are on their way out, and are to be seen gone. */
  readonly leaving: readonly string[];
}

/** One claim of an instance and what became of it. */
export interface InstanceVolume {
  readonly claim: string;
  /** Missing while it is not bound. */
  readonly persistentVolume?: string | undefined;
  readonly node?: string | undefined;
  readonly zone?: string | undefined;
  readonly bytes?: Bytes | undefined;
}
