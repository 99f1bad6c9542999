import type { DeviceSelector } from '../model/device-selector.ts';
import { bytes, formatBytes, GiB, MiB, roundUp, type Bytes } from '../model/bytes.ts';
import { parseQuantity } from '../model/quantity.ts';
import { err, ok, type Result } from '../model/result.ts';
import { shown } from '../model/shown.ts';
import { parseThin, type ThinOptions } from './lvm-thin-options.ts';
import { parseObject, unknownFields } from './shared/options.ts';

/** How the extents of a volume lie on the disks of its volume group. */
export type Layout =
  | { readonly type: 'linear' }
  | { readonly type: 'striped'; readonly stripes: number }
  | { readonly type: 'mirrored'; readonly copies: number }
  | { readonly type: 'thin'; readonly thin: ThinOptions };

export interface LvmOptions {
  /** Missing where the volume group is made of selected disks. */
  readonly volumeGroup: string | undefined;
  readonly extentBytes: Bytes;
  readonly layout: Layout;
}

const types = ['linear', 'striped', 'mirrored', 'thin'] as const;
const known = ['volumeGroup', 'type', 'stripes', 'copies', 'extentSize', 'thin'];

type Fields = Readonly<Record<string, unknown>>;

/** @returns the options, or every mistake: field, value and what is allowed */
export function parseLvmOptions(source: unknown): Result<LvmOptions, string> {
  const object = parseObject('lvm', source ?? {}, []);
  if (!object.ok) {
    return object;
  }
  const fields = object.value;
  const volumeGroup = parseGroupName(fields['volumeGroup']);
  const extentBytes = parseExtentSize(fields['extentSize'] ?? '4Mi');
  const layout = parseLayout(fields);
  const unknown = unknownFields('lvm', fields, known);
  if (volumeGroup.ok && extentBytes.ok && layout.ok && unknown.length === 0) {
    return ok({
      volumeGroup: volumeGroup.value,
      extentBytes: extentBytes.value,
      layout: layout.value,
    });
  }
  const wrong = [volumeGroup, extentBytes, layout].flatMap((each) => (each.ok ? [] : [each.error]));
  return err([...wrong, ...unknown].join('; '));
}

const groupNamePattern = /^[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,62}$/;

function parseGroupName(value: unknown): Result<string | undefined, string> {
  if (value === undefined) {
    return ok(undefined);
  }
  return typeof value === 'string' && groupNamePattern.test(value) && !/^\.\.?$/.test(value)
    ? ok(value)
    : err(
        `lvm.volumeGroup is ${shown(value)}: the name of a volume group is required, at most 63 of A-Z, a-z, 0-9 and _ + . -`,
      );
}

/** Between these every mirror's list of changed regions has room in one extent. */
const extentLimits = [MiB, GiB] as const;

function parseExtentSize(value: unknown): Result<Bytes, string> {
  const size = parseSize(value);
  const [least, most] = extentLimits;
  const isPower = size !== undefined && Number.isInteger(Math.log2(size));
  return isPower && size >= least && size <= most
    ? ok(size)
    : err(
        `lvm.extentSize is ${shown(value)}: a power of two from ${formatBytes(bytes(least))} to ${formatBytes(bytes(most))} is allowed`,
      );
}

function parseSize(value: unknown): Bytes | undefined {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  const parsed = parseQuantity(text);
  return parsed.ok ? parsed.value : undefined;
}

function parseLayout(fields: Fields): Result<Layout, string> {
  const given = fields['type'] ?? 'linear';
  const type = types.find((each) => each === given);
  const misplaced = [
    ['stripes', 'striped'],
    ['copies', 'mirrored'],
    ['thin', 'thin'],
  ].flatMap(([field = '', owner = '']) =>
    fields[field] !== undefined && type !== owner
      ? [`lvm.${field} is set: it is allowed with lvm.type ${owner} only`]
      : [],
  );
  if (type === undefined) {
    return err(`lvm.type is ${shown(given)}: allowed are ${types.join(', ')}`);
  }
  const layout = layoutOf(type, fields);
  const mistakes = [...(layout.ok ? [] : [layout.error]), ...misplaced];
  return mistakes.length > 0 ? err(mistakes.join('; ')) : layout;
}

function layoutOf(type: Layout['type'], fields: Fields): Result<Layout, string> {
  if (type === 'thin') {
    const thin = parseThin(fields['thin'] ?? {});
    return thin.ok ? ok({ type, thin: thin.value }) : thin;
  }
  if (type === 'striped') {
    const stripes = parseCount('lvm.stripes', fields['stripes'] ?? 2, 16);
    return stripes.ok ? ok({ type, stripes: stripes.value }) : stripes;
  }
  if (type === 'mirrored') {
    const copies = parseCount('lvm.copies', fields['copies'] ?? 2, 4);
    return copies.ok ? ok({ type, copies: copies.value }) : copies;
  }
  return ok({ type });
}

function parseCount(field: string, value: unknown, most: number): Result<number, string> {
  return typeof value === 'number' && Number.isInteger(value) && value >= 2 && value <= most
    ? ok(value)
    : err(`${field} is ${shown(value)}: a whole number from 2 to ${most} is allowed`);
}

/** The usable size that a volume of `wanted` bytes really gets. */
export function usableFor({ layout, extentBytes }: LvmOptions, wanted: Bytes): Bytes {
  const rows = layout.type === 'striped' ? layout.stripes : 1;
  return roundUp(wanted, rows * extentBytes);
}

/** What a volume of `wanted` usable bytes occupies of its pool. */
export function allocatedFor(options: LvmOptions, wanted: Bytes): Bytes {
  const { layout, extentBytes } = options;
  const usable = usableFor(options, wanted);
  return layout.type === 'mirrored' ? mirroredBytes(usable, layout.copies, extentBytes) : usable;
}

/** Beside each copy lies one extent with what is known of it. */
export function mirroredBytes(usable: Bytes, copies: number, extentBytes: Bytes): Bytes {
  return bytes(copies * (usable + extentBytes));
}

/** Why a pool cannot have both, or neither, of what it may be made of. */
export function whyNotEither(
  { volumeGroup }: LvmOptions,
  devices: DeviceSelector | undefined,
): string | undefined {
  if (volumeGroup !== undefined && devices !== undefined) {
    return 'lvm.volumeGroup and devices are set: a pool is in a volume group that is there, or makes one of disks';
  }
  return volumeGroup === undefined && devices === undefined
    ? 'lvm.volumeGroup is missing, and so is devices: one of them is required'
    : undefined;
}
