import { mkdirSync, readFileSync, readdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Clusters with real nodes need names and addresses that are unique on the machine, whoever starts them: cgroups,
 * node addresses, pod networks. Each such cluster claims a number, and makes them all out of that.
 */
const SLOTS = '/run/berth-slots';
const SLOT_COUNT = 32;

/** The number claimed for the cluster in `dir`; claims one if it has none. */
export function claimSlot(dir: string): number {
  const mine = slotOf(dir);
  if (mine !== undefined) return mine;
  mkdirSync(SLOTS, { recursive: true });
  for (let slot = 0; slot < SLOT_COUNT; slot += 1) {
    if (tryClaim(slot, dir)) return slot;
  }
  throw new Error(`all ${SLOT_COUNT} places for clusters with kubelets are taken, see ${SLOTS}`);
}

function tryClaim(slot: number, dir: string): boolean {
  try {
    writeFileSync(join(SLOTS, String(slot)), dir, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

export function slotOf(dir: string): number | undefined {
  return claims().find((claim) => claim.dir === dir)?.slot;
}

/** Gives the number back. Repeatable. */
export function releaseSlot(dir: string): void {
  const slot = slotOf(dir);
  if (slot === undefined) return;
  rmSync(join(SLOTS, String(slot)), { force: true });
  try {
    rmdirSync(SLOTS);
  } catch {
    // Others hold theirs.
  }
}

/** Which clusters hold which numbers at this moment. */
export function claims(): { slot: number; dir: string }[] {
  return entries(SLOTS).map((name) => ({ slot: Number(name), dir: ownerOf(name) }));
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Nobody claimed anything yet.
    return [];
  }
}

function ownerOf(slot: string): string {
  try {
    return readFileSync(join(SLOTS, slot), 'utf8');
  } catch {
    // It was released between the two looks.
    return '';
  }
}

/** The cgroup of one node, below the root of every hierarchy. */
export function cgroupOf(slot: number, node: string): string {
  return `${cgroupPrefix(slot)}${node}`;
}

/** What the names of all cgroups of a slot begin with. */
export function cgroupPrefix(slot: number): string {
  return `berth-${slot}-`;
}

export const NODES_PER_SLOT = 16;

/**
 * The /24 of one node, without its last number. 198.18.0.0/15 is set aside for tests of network gear (RFC 2544),
 * so no network this machine is in should use it; it has room for 32 slots with 16 nodes.
 */
export function networkOf(slot: number, nodeIndex: number): string {
  const number = slot * NODES_PER_SLOT + nodeIndex;
  return `198.${18 + (number >> 8)}.${number & 255}`;
}

/** The beginnings of all addresses of a slot's nodes and pods. */
export function networksOf(slot: number): string[] {
  return Array.from({ length: NODES_PER_SLOT }, (_, index) => `${networkOf(slot, index)}.`);
}
