/** One step of a JSON patch (RFC 6902). Only `add` is needed: it also replaces what is there. */
export interface PatchStep {
  readonly op: 'add';
  readonly path: string;
  readonly value: unknown;
}

export type JsonPatch = readonly PatchStep[];

/** Sets the value at a path given as its segments, which are escaped here (RFC 6901). */
export function addStep(segments: readonly (string | number)[], value: unknown): PatchStep {
  const escaped = segments.map((part) => String(part).replaceAll('~', '~0').replaceAll('/', '~1'));
  return { op: 'add', path: ['', ...escaped].join('/'), value };
}
