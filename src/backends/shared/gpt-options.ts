import type { DeviceSelector } from '../../model/device-selector.ts';
import { err, ok, type Result } from '../../model/result.ts';
import { parseObject, unknownFields } from './options.ts';

/** Backends that are made of disks have no options of their own: which disks is all there is to say. */
export function parseDisks(
  backend: string,
  source: unknown,
  devices: DeviceSelector | undefined,
): Result<undefined, string> {
  const object = parseObject(backend, source ?? {}, []);
  const mistakes = [
    ...(object.ok ? unknownFields(backend, object.value, []) : [object.error]),
    ...(devices === undefined
      ? [`devices is missing: backend ${backend} takes the disks that it names`]
      : []),
  ];
  return mistakes.length === 0 ? ok(undefined) : err(mistakes.join('; '));
}
