import type { Instance, Progress } from '../broker/instance.ts';

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
