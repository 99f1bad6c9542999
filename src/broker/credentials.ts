import { formatQuantity } from '../model/quantity.ts';
import type { FsType } from '../model/volume.ts';
import type { Binding, Instance, InstanceVolume } from './instance.ts';
import { podPart, statefulSetPart, type Mount } from './manifest.ts';
import type { Json } from './plan.ts';

type JsonObject = Readonly<Record<string, Json>>;

/**
 * What a workload has to know to use an instance. Nothing in it is secret: who may use the claims
 * is settled by the rights in their namespace.
 */
export function toCredentials(
  { namespace, wants, progress }: Instance,
  { parameters }: Binding,
  fsType: FsType | undefined,
): JsonObject {
  const mount = mountOf(wants.volumeMode, parameters);
  const { volumes } = progress;
  const set = statefulSetPart(volumes, wants, mount);
  return {
    namespace,
    storageClass: wants.storageClass,
    volumeMode: wants.volumeMode,
    size: formatQuantity(wants.bytes),
    claims: volumes.map(({ claim }) => claim),
    nodes: [...new Set(volumes.flatMap(({ node }) => node ?? []))],
    volumes: volumes.map(toVolume),
    mount: toMount(wants.volumeMode, mount, fsType),
    manifest: {
      pods: volumes.map((volume) => ({ claim: volume.claim, ...podPart(volume, wants, mount) })),
      ...(set && { statefulSet: set }),
    },
  };
}

function mountOf(volumeMode: string, { mountPath, devicePath, readOnly }: JsonObject): Mount {
  const asked = volumeMode === 'Block' ? devicePath : mountPath;
  const usual = volumeMode === 'Block' ? '/dev/data' : '/data';
  return {
    path: typeof asked === 'string' ? asked : usual,
    readOnly: readOnly === true,
  };
}

function toMount(volumeMode: string, { path, readOnly }: Mount, fsType?: FsType): JsonObject {
  return volumeMode === 'Block'
    ? { devicePath: path }
    : { mountPath: path, readOnly, ...(fsType !== undefined && { fsType }) };
}

function toVolume({ claim, persistentVolume, node, zone, bytes }: InstanceVolume): JsonObject {
  return {
    claim,
    ...(persistentVolume !== undefined && { persistentVolume }),
    ...(node !== undefined && { node }),
    ...(zone !== undefined && { zone }),
    ...(bytes !== undefined && { size: formatQuantity(bytes) }),
  };
}
