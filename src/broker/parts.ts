import { bytes, type Bytes } from '../model/bytes.ts';
import { volumeName } from '../model/names.ts';

/** A claim of an instance, as the cluster has it. */
export interface ClaimPart {
  readonly name: string;
  readonly uid: string;
  readonly bound: boolean;
  /** Its volume has vanished. */
  readonly lost: boolean;
  readonly deleting: boolean;
  /** Whether it goes with its record, as it does until its instance is made. */
  readonly owned: boolean;
  readonly requested: Bytes;
  /** What it has; missing while it is not bound. */
  readonly capacity?: Bytes | undefined;
}

/**
 * What became of a placeholder. `asking`: the scheduler has not said anything yet. `refused`: no
 * node will do, for now. `placed`: it has its node. `ended`: it will not come to anything.
 */
export type PlaceholderStanding = 'asking' | 'refused' | 'placed' | 'ended';

/** A placeholder pod of an instance. */
export interface PlaceholderPart {
  readonly name: string;
  readonly uid: string;
  readonly standing: PlaceholderStanding;
  /** Why it was refused. */
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly askedAt: number;
  /** When it was first refused, in milliseconds since the epoch; 0 where it was not, or nobody says. */
  readonly refusedAt: number;
}

/** All that the cluster has of one instance, but for volumes that are on their way out. */
export interface Parts {
  readonly claims: readonly ClaimPart[];
  readonly placeholders: readonly PlaceholderPart[];
}

/** In the name of each claim, so that a StatefulSet named `setName` with this template takes them. */
export const claimTemplate = 'data';

/**
 * What the names of an instance's parts are made of. The uid of its record, and not its id, so that
 * claims which are kept for a while never stand in the way of a later instance with the same id.
 */
export function setName(uid: string): string {
  return `osb-${uid.replaceAll('-', '').slice(0, 16)}`;
}

export function claimName(uid: string, index: number): string {
  return `${claimTemplate}-${setName(uid)}-${index}`;
}

export function placeholderName(uid: string, index: number): string {
  return `${setName(uid)}-place-${index}`;
}

/** The names of the volumes that claims have, or may get. */
export function volumesOf(claims: readonly ClaimPart[]): readonly string[] {
  return claims.map(({ uid }) => volumeName(uid));
}

/** The least a claim may ask for again: Kubernetes takes no claim back to just what it has. */
export function leastAsk({ capacity }: ClaimPart, before: Bytes): Bytes {
  return bytes(Math.max(before, (capacity ?? 0) + 1));
}
