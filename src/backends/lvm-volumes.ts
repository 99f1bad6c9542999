import type { Bytes } from '../model/bytes.ts';
import type { VolumeIdentity } from '../model/volume.ts';
import { ForeignVolumeError, type BackendVolume, type Stray } from '../usecases/ports.ts';
import type { Group, LogicalVolume } from './lvm-look.ts';
import { mirroredBytes } from './lvm-options.ts';
import { ofUid } from './shared/proven.ts';

/** What is known of volumes stands in tags, which change together with a volume or not at all. */
export const ourTag = 'berth';
/** On a volume that is not whole yet: nobody has been promised it. */
export const partialTag = 'berth-partial';
/** On what the thin volumes of a pool are made of. */
export const thinPoolTag = 'berth-thin-pool';
const uidPrefix = 'berth-uid=';
const renamePrefix = 'berth-rename=';

export const poolTag = (pool: string): string => `berth-pool=${pool}`;
export const uidTag = (volumeUid: string): string => `${uidPrefix}${volumeUid}`;
/** On a volume that is about to get another name. */
export const renameTag = (name: string): string => `${renamePrefix}${name}`;

export interface OwnVolume {
  readonly volume: BackendVolume;
  readonly lv: LogicalVolume;
}

export interface Recognised {
  readonly volumes: readonly OwnVolume[];
  readonly strays: readonly { readonly stray: Stray; readonly lv: LogicalVolume }[];
  /** Cut off before they were whole. */
  readonly partial: readonly LogicalVolume[];
  /** Cut off before they had their new name, which is given. */
  readonly renamed: readonly { readonly lv: LogicalVolume; readonly to: string }[];
  readonly thinPool: LogicalVolume | undefined;
}

/** Tells the pool's own volumes from everything else in its volume group, which is not touched. */
export function recogniseAll(group: Group, pool: string): Recognised {
  const own = group.volumes.filter(
    ({ tags }) => tags.includes(ourTag) && tags.includes(poolTag(pool)),
  );
  const partial = own.filter(({ tags }) => tags.includes(partialTag));
  const whole = own.filter((lv) => !partial.includes(lv));
  const cuts = whole.filter(({ tags }) => !tags.includes(thinPoolTag));
  const judged = cuts.map((lv) => judge(lv, group.extentBytes));
  return {
    volumes: judged.filter((each) => 'volume' in each),
    strays: judged.filter((each) => 'stray' in each),
    partial,
    renamed: cuts.flatMap((lv) => valuesOf(lv, renamePrefix).map((to) => ({ lv, to }))),
    thinPool: whole.find(({ tags }) => tags.includes(thinPoolTag)),
  };
}

function judge(
  lv: LogicalVolume,
  extentBytes: Bytes,
): OwnVolume | { readonly stray: Stray; readonly lv: LogicalVolume } {
  const { name } = lv;
  const [volumeUid, another] = valuesOf(lv, uidPrefix);
  const allocatedBytes = occupied(lv, extentBytes);
  const stray = { name, bytes: allocatedBytes };
  if (volumeUid === undefined || another !== undefined) {
    const reason = `${lv.path}: its tags name ${another === undefined ? 'no uid' : 'more than one uid'}`;
    return { stray: { ...stray, reason }, lv };
  }
  const [renamed] = valuesOf(lv, renamePrefix);
  if (renamed !== undefined && renamed !== name) {
    const reason = `${lv.path}: it is to be ${renamed}, and something else has that name`;
    return { stray: { ...stray, reason, says: { name: renamed, volumeUid } }, lv };
  }
  return { volume: { name, volumeUid, bytes: lv.bytes, allocatedBytes }, lv };
}

function occupied({ layout, bytes, rows }: LogicalVolume, extentBytes: Bytes): Bytes {
  return layout.includes('raid1') ? mirroredBytes(bytes, rows, extentBytes) : bytes;
}

function valuesOf({ tags }: LogicalVolume, prefix: string): readonly string[] {
  return tags.filter((tag) => tag.startsWith(prefix)).map((tag) => tag.slice(prefix.length));
}

/** @throws ForeignVolumeError when what has the name is no volume of the pool */
export function recognise(group: Group, pool: string, name: string): OwnVolume | undefined {
  const lv = group.volumes.find((each) => each.name === name);
  const all = recogniseAll(group, pool);
  if (lv === undefined || all.partial.includes(lv)) {
    return undefined;
  }
  const found = all.volumes.find((each) => each.lv === lv);
  if (found === undefined) {
    const stray = all.strays.find((each) => each.lv === lv)?.stray;
    throw new ForeignVolumeError(
      `${stray?.reason ?? `${lv.path}: its tags do not say that it belongs to pool ${pool}`}; it is left as it is`,
    );
  }
  return found;
}

/** @throws ForeignVolumeError when what has the name is another volume, or none */
export function ownVolume(
  group: Group,
  pool: string,
  identity: VolumeIdentity,
): OwnVolume | undefined {
  return ofUid(recognise(group, pool, identity.name), identity, ({ lv }) => lv.path);
}
