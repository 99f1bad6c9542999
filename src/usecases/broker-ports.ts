import type { Instance, Progress } from '../broker/instance.ts';
import type { Recorded } from '../broker/manifests.ts';
import type { ClaimPart, Parts, PlaceholderPart } from '../broker/parts.ts';
import type { Place } from '../broker/places.ts';
import type { Bytes } from '../model/bytes.ts';

/** An instance as it was read. */
export interface StoredInstance {
  readonly instance: Instance;
  /** Of this record; another one with the same id later has another. */
  readonly uid: string;
  /** Changes with every write; a write that names an older one is turned down. */
  readonly version: string;
}

/** Where instances are kept: read live, never from a memory that may be behind. */
export interface InstanceStore {
  get(id: string): Promise<StoredInstance | undefined>;
  list(): Promise<readonly StoredInstance[]>;
  /**
   * Its `progress` is not written: a record begins untouched by the working half.
   *
   * @returns `exists` when another request with this id was first
   */
  create(instance: Instance): Promise<'created' | 'exists'>;
  /** Writes what the answering half owns: all but `progress`. */
  ask(
    read: StoredInstance,
    next: Omit<Instance, 'id' | 'progress'>,
  ): Promise<'written' | 'changed'>;
  /** Writes what the working half owns. */
  tell(read: StoredInstance, progress: Progress): Promise<'written' | 'changed'>;
  /** Takes the record away; nothing of the instance is left in the cluster then. */
  remove(read: StoredInstance): Promise<'written' | 'changed'>;
}

/** The instances in memory, kept up to date by a watch. */
export interface InstanceView {
  /** By the name of its record. */
  get(name: string): StoredInstance | undefined;
  /** Those whose operation runs, by the names of their records. */
  running(): Iterable<readonly [string, StoredInstance]>;
}

/** What the API server will not do, also if it is asked again. */
export interface Refusal {
  readonly refused: string;
}

/** Claims and placeholder pods of instances. What is made twice, or taken away twice, is fine. */
export interface PartStore {
  /** From memory. */
  known(record: string, uid: string): Parts;
  /** Live. */
  read(record: Recorded): Promise<Parts>;
  makeClaim(record: Recorded, index: number): Promise<Refusal | undefined>;
  makePlaceholder(record: Recorded, index: number): Promise<Refusal | undefined>;
  removeClaim(namespace: string, claim: ClaimPart): Promise<void>;
  removePlaceholder(namespace: string, placeholder: PlaceholderPart): Promise<void>;
  /** Lets a claim be nobody's: it does not go with its record any more. */
  free(namespace: string, claim: ClaimPart): Promise<void>;
  /** Lets a claim ask for another size. */
  resize(namespace: string, claim: ClaimPart, size: Bytes): Promise<Refusal | undefined>;
  /** Marks a claim with the time of its end, ISO 8601: it outlives its instance. */
  retain(namespace: string, claim: ClaimPart, until: string): Promise<void>;
  /** Live: the names of pods in the namespace that use one of the claims, but for placeholders. */
  usersOf(namespace: string, claims: readonly string[]): Promise<readonly string[]>;
  /** What the events of an object say about room; empty where there are none. */
  told(about: ToldObject): Promise<string>;
}

export interface ToldObject {
  readonly namespace: string;
  readonly uid: string;
  /** Of the event. */
  readonly reason: string;
}

/** The volumes behind the claims. */
export interface VolumePlaces {
  /** Live: where the volume of a bound claim is. */
  find(claim: ClaimPart): Promise<Place>;
  /**
   * Live: whether nothing is left of a volume, or what is left is nobody's concern any more: it is
   * retained as its class asks, or waits for its lost node, which erases it when it comes back.
   */
  isGone(name: string): Promise<boolean>;
}
