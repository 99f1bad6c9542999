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
}

export type LvmReason = Extract<TroubleReason, 'LvmFailed' | 'LvmDegraded' | 'ThinPoolFull'>;
export const lvmReasons: readonly LvmReason[] = ['LvmFailed', 'LvmDegraded', 'ThinPoolFull'];

/** @returns nothing for what is well */
export function judgeLvm(
  state: LvmState,
): { readonly reason: LvmReason; readonly message: string } | undefined {
  const { name, status, needsCheck } = state;
  if (needsCheck) {
    const message = `LVM says that the metadata of ${name} is damaged: \`lvconvert --repair ${name}\` while nobody uses it`;
    return { reason: 'LvmFailed', message };
  }
  const isWell = status === '' || status === 'writemostly';
  const [reason, advice] = isWell ? [] : meaningOf(state);
  return reason && { reason, message: `LVM says of ${name}: ${status}; ${advice}` };
}

function meaningOf({ name, layout, status }: LvmState): readonly [LvmReason, string] {
  // All kinds of RAID but 0 can do without a disk, and those that cannot say so with another word.
  const isRedundant = /\braid[14-9]/.test(layout) || layout.includes('mirror');
  const repair = `\`lvconvert --repair ${name}\` makes the missing copy anew`;
  switch (status) {
    case 'partial':
      return isRedundant
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
