import type { Bytes } from '../model/bytes.ts';
import type { Claim, VolumeClass } from '../model/claim.ts';
import type { NodeState } from '../model/node.ts';
import type { Pod } from '../model/pod.ts';
import type { ClaimRef, LocalVolume, VolumeForm, VolumeRef, VolumeSpec } from '../model/volume.ts';
import type { NodeFacts } from '../scheduling/filter.ts';
import type { NodeSelectorTerm } from '../scheduling/node-affinity.ts';

/** What control needs from the cluster, cut into the parts that its use cases use. */

/** Looks objects up: in memory first, then live where memory does not have them (yet). */
export interface Lookup {
  claim(namespace: string, name: string): Promise<Claim | undefined>;
  /** With no name: the default class. */
  volumeClass(name: string | undefined): Promise<VolumeClass | undefined>;
  persistentVolume(name: string): Promise<PersistentVolume | undefined>;
  localVolumeOf(claimUid: string): LocalVolume | undefined;
  /** What the volumes of a pool are; nothing where its StoragePool cannot be read. */
  volumeForm(pool: string): VolumeForm | undefined;
}

export interface PersistentVolume {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly phase: string;
  readonly claimUid: string | undefined;
  readonly reclaimPolicy: string;
  /** Made by this program, by the annotation that says so. */
  readonly ours: boolean;
  readonly heldByControl: boolean;
  readonly deleting: boolean;
  /** Nothing where it cannot be read. */
  readonly capacity: Bytes | undefined;
  /** What is shown of the health of its disk. */
  readonly health?: string | undefined;
  /** The required node affinity; empty where any node can reach it. */
  readonly terms: readonly NodeSelectorTerm[];
}

/** The nodes with their pools, always from memory. */
export interface NodeReader {
  node(name: string): NodeFacts | undefined;
  /** Whether the agent of a node gives signs of life, also of one without a Node object. */
  isAlive(name: string): boolean;
  names(): Iterable<string>;
}

export interface NodeStore {
  /** Live. Nothing where there is no such Node. */
  read(name: string): Promise<NodeState | undefined>;
}

/** The durable ledger. All writes name the uid, and where it matters the version, they rest on. */
export interface VolumeStore {
  /** All there are, from memory. */
  list(): Iterable<LocalVolume>;
  /** From memory. */
  get(name: string): LocalVolume | undefined;
  /** Live. */
  read(name: string): Promise<LocalVolume | undefined>;
  /** Makes it to follow `first`, or gives the one that is there: the caller compares. */
  ensure(name: string, spec: VolumeSpec, first?: VolumeRef): Promise<LocalVolume>;
  /**
   * Records that it is handed over after `first`.
   * @returns false if the object has changed since `volume` was read
   */
  markFollower(volume: LocalVolume, first: VolumeRef): Promise<boolean>;
  /**
   * Records that a PersistentVolume will point at it, so that it is not given back any more.
   * @returns false if the object has changed since `volume` was read
   */
  markPublished(volume: LocalVolume): Promise<boolean>;
  /**
   * Promises it more than it has: its agent lets it grow to that.
   * @returns false if the object has changed since `volume` was read
   */
  promise(volume: LocalVolume, size: Bytes): Promise<boolean>;
  /**
   * Records that its data outlives its PersistentVolume.
   * @returns false if the object has changed since `volume` was read
   */
  markRetained(volume: LocalVolume): Promise<boolean>;
  /**
   * Marks it deleted; the agent waits until control's finalizer is gone.
   * @returns false if the object has changed since `volume` was read
   */
  markDeleted(volume: LocalVolume): Promise<boolean>;
  /** Tells the agent that the data may go. Only for a volume that is marked deleted. */
  releaseToAgent(volume: LocalVolume): Promise<void>;
  /**
   * Waits until `done` holds for what memory knows.
   * @returns the volume then, or nothing if it did not come to that in time
   */
  waitUntil(
    name: string,
    done: (volume: LocalVolume | undefined) => boolean,
    timeoutMs: number,
  ): Promise<boolean>;
}

export interface PersistentVolumeStore {
  /** From memory. */
  get(name: string): PersistentVolume | undefined;
  /** Live. */
  read(name: string): Promise<PersistentVolume | undefined>;
  /** Makes the PersistentVolume of a Ready volume, bound in advance to its claim. May be repeated. */
  ensure(volume: LocalVolume, claim: Claim, volumeClass: VolumeClass): Promise<void>;
  /**
   * Says that it has grown.
   * @returns false if the object has changed since `volume` was read
   */
  setCapacity(volume: PersistentVolume, capacity: Bytes): Promise<boolean>;
  /** Removes it with our finalizer. May be repeated. */
  remove(volume: PersistentVolume): Promise<void>;
  /**
   * Shows what is wrong with its disk, or takes that away.
   * @returns false if the object has changed since it was read
   */
  markHealth(volume: PersistentVolume, health: string | undefined): Promise<boolean>;
  /** Takes our finalizer off one that is deleted, unless it has changed since it was read. */
  letGo(volume: PersistentVolume): Promise<void>;
}

export interface ClaimStore {
  /** From memory. */
  get(namespace: string, name: string): Claim | undefined;
  /** Live. */
  read(namespace: string, name: string): Promise<Claim | undefined>;
  /** Takes the choice of a node back, so that the scheduler chooses again. */
  clearSelectedNode(claim: Claim): Promise<void>;
  /**
   * Tells its user that it has grown, and ends what was said of growing.
   * @returns false if the object has changed since `claim` was read
   */
  setCapacity(claim: Claim, capacity: Bytes): Promise<boolean>;
  /** Deletes it, and no namesake. Gone already is done. */
  delete(claim: ClaimRef): Promise<void>;
}

/** A pod that names a claim. */
export interface ClaimUser {
  readonly pod: Pod;
  /** Something will make another pod in its place. */
  readonly replaceable: boolean;
}

export interface PodStore {
  /** Pods that have no node yet, or have not started on theirs; from memory. */
  pending(): Iterable<Pod>;
  /** One of them, from memory. */
  get(namespace: string, name: string): Pod | undefined;
  /** Live. */
  read(namespace: string, name: string): Promise<Pod | undefined>;
  /** @returns false if the API server says that the pod has a node already */
  bind(pod: Pod, node: string): Promise<boolean>;
  /** Makes an old scheduler look at a waiting pod again. */
  touch(pod: Pod): Promise<void>;
  /** The pods that name the claim, on this node or on none yet; live. */
  usersOf(claim: ClaimRef, node: string): Promise<readonly ClaimUser[]>;
  /**
   * Deletes it, and no namesake. Gone already is done.
   * @param force - do not wait for a kubelet that may never answer
   */
  delete(pod: Pod, force: boolean): Promise<void>;
}

/** What is written down of a volume whose node is lost, or whose disk is failing. */
export interface LossRecord {
  /**
   * Records when its node was first seen lost.
   * @returns false if the object has changed since `volume` was read
   */
  markNodeLost(volume: LocalVolume, since: number): Promise<boolean>;
  /**
   * Records that the waiting is over.
   * @returns false if the object has changed since `volume` was read
   */
  markGivenUp(volume: LocalVolume): Promise<boolean>;
  /**
   * Records when its disk was first seen failing.
   * @returns false if the object has changed since `volume` was read
   */
  markDiskFailing(volume: LocalVolume, since: number): Promise<boolean>;
  /**
   * Takes all these records back.
   * @returns false if the object has changed since `volume` was read
   */
  markBack(volume: LocalVolume): Promise<boolean>;
  /** Asks the agent to erase the volume when it is back. May be repeated. */
  requestPurge(volume: LocalVolume, reason: string, now: number): Promise<void>;
  /** Lets a deleted volume go without its agent. Only after `requestPurge`. */
  releaseFromAgent(volume: LocalVolume): Promise<void>;
}
