import type { TroubleReason } from './health.ts';

/** A logical volume or thin pool, as `lvs` shows how well it is. */
export interface LvmState {
  /** With its volume group: `vg/lv`. */
  readonly name: string;
  /** Such as `linear`, `raid,raid1` or `thin,pool`. */
  readonly layout: string;
  /** `lv_health_status`; empty while all is well. */
  readonly status: string;
  /** `lv_check_needed`: the metadata of a thin pool has to be repaired. */
  readonly needsCheck: boolean;
  /** The part of its metadata that a thin pool has in use, 0 to 1; missing where nobody can tell. */
  readonly metadataUsed?: number | undefined;
  /** Missing where it is not active. */
  readonly leads?: WayDown | undefined;
}

/** The kernel's names of the disks that a device leads to: gone ones LVM may see under other names. */
export interface WayDown {
  readonly lost: readonly string[];
  readonly there: readonly string[];
}

export type LvmReason = Extract<TroubleReason, 'LvmFailed' | 'LvmDegraded' | 'ThinPoolFull'>;
export const lvmReasons: readonly LvmReason[] = ['LvmFailed', 'LvmDegraded', 'ThinPoolFull'];

export interface LvmTrouble {
  readonly reason: LvmReason;
  readonly message: string;
}

/** @returns nothing for what is well */
export function judgeLvm(state: LvmState): LvmTrouble | undefined {
  const { name, status, needsCheck } = state;
  if (isOutOfMetadata(state)) {
    return { reason: 'ThinPoolFull', message: `LVM says of ${name}: ${fullMetadata(state)}` };
  }
  if (needsCheck) {
    const message = `LVM says that the metadata of ${name} is damaged: \`lvconvert --repair ${name}\` while nobody uses it`;
    return { reason: 'LvmFailed', message };
  }
  const isWell = status === '' || status === 'writemostly';
  if (isWell) {
    return judgeLost(state);
  }
  const [reason, advice] = meaningOf(state);
  return { reason, message: `LVM says of ${name}: ${status}; ${advice}` };
}

/** LVM sees a disk that is back, and not that its volumes do not lead there. */
function judgeLost({ name, layout, leads }: LvmState): LvmTrouble | undefined {
  const { lost, there } = leads ?? { lost: [], there: [] };
  if (lost.length === 0) {
    return undefined;
  }
  const where = `${name} still leads to ${lost.join(', ')}, which is gone`;
  const refresh = `\`lvchange --refresh ${name}\``;
  if (isRedundant(layout) && there.length > 0) {
    const message = `${where}, and to a copy that is there: ${refresh} leads it to the disk again, if that is back`;
    return { reason: 'LvmDegraded', message };
  }
  const remedy = layout.includes('thin')
    ? 'end the pods of all volumes in its thin pool, and restart the node'
    : 'end its pod, and it is led to the disk again, if that is back';
  return { reason: 'LvmFailed', message: `${where}: ${remedy}` };
}

/** All kinds of RAID but 0 can do without a disk, and those that cannot say so with another word. */
function isRedundant(layout: string): boolean {
  return /\braid[14-9]/.test(layout) || layout.includes('mirror');
}

/** Such a thin pool takes no writes to new places, makes no volume, and gives none back. */
function isOutOfMetadata({ status, metadataUsed = 0 }: LvmState): boolean {
  return status === 'metadata_read_only' && metadataUsed >= 1;
}

/** The data is all there: it is for somebody to give the pool room, not for volumes to be given up. */
function fullMetadata({ name, status, needsCheck }: LvmState): string {
  const grow = `\`lvextend --poolmetadatasize +1G ${name}\` gives it more`;
  const remedy = needsCheck
    ? `end its pods, deactivate it, \`lvconvert --repair ${name}\`, then ${grow}`
    : grow;
  return `${status}, its metadata is full (100%); nothing new can be written to its volumes: ${remedy}`;
}

/** Whether nothing can be made of a thin pool, whatever room its data has. */
export function isReadOnly(state: LvmState): boolean {
  return state.needsCheck || ['metadata_read_only', 'failed', 'error'].includes(state.status);
}

function meaningOf({ name, layout, status }: LvmState): readonly [LvmReason, string] {
  const repair = `\`lvconvert --repair ${name}\` makes the missing copy anew`;
  switch (status) {
    case 'partial':
      return isRedundant(layout)
        ? ['LvmDegraded', `one of its disks is missing; ${repair}`]
        : ['LvmFailed', 'one of its disks is missing, and with it a part of the data'];
    case 'refresh needed':
      return [
        'LvmDegraded',
        `one of its copies was given up; \`lvchange --refresh ${name}\` takes it back once its disk is well, ${repair}`,
      ];
    case 'mismatches exist':
      return ['LvmDegraded', 'its copies differ; `lvchange --syncaction repair` makes them equal'];
    case 'out_of_data':
      return ['ThinPoolFull', 'nothing new can be written to its volumes until it is extended'];
    case 'failed':
    case 'error':
    case 'metadata_read_only':
      return ['LvmFailed', 'it can no longer be written'];
    default:
      return ['LvmDegraded', 'lvs(8) tells what that means'];
  }
}
