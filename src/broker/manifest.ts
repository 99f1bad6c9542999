import { formatQuantity } from '../model/quantity.ts';
import type { InstanceVolume, Wants } from './instance.ts';
import type { Json } from './plan.ts';

type JsonObject = Readonly<Record<string, Json>>;

/** Where a container sees a volume, and how. */
export interface Mount {
  readonly path: string;
  readonly readOnly: boolean;
}

const volumeName = 'data';

/**
 * The parts of a pod that uses one volume: to be merged into a manifest as they are. The node is
 * named although the volume alone would bring the pod there, so that a person sees it.
 */
export function podPart(
  { claim, node }: InstanceVolume,
  wants: Wants,
  mount: Mount,
): { readonly spec: JsonObject } {
  return {
    spec: {
      ...(node !== undefined && { affinity: { nodeAffinity: onNodes([node]) } }),
      ...tolerationsOf(wants),
      containers: [containerPart(volumeName, wants, mount)],
      volumes: [{ name: volumeName, persistentVolumeClaim: { claimName: claim } }],
    },
  };
}

/**
 * The parts of a StatefulSet whose pods use the volumes, one each. It takes claims by their names
 * (`<template>-<set>-<ordinal>`), so there is one only where those of the instance are such.
 */
export function statefulSetPart(
  volumes: readonly InstanceVolume[],
  wants: Wants,
  mount: Mount,
): JsonObject | undefined {
  const names = setNames(volumes.map(({ claim }) => claim));
  if (names === undefined) {
    return undefined;
  }
  const nodes = volumes.flatMap(({ node }) => node ?? []);
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: names.set },
    spec: {
      replicas: volumes.length,
      template: {
        spec: {
          ...(nodes.length > 0 && { affinity: { nodeAffinity: onNodes(nodes) } }),
          ...tolerationsOf(wants),
          containers: [containerPart(names.template, wants, mount)],
        },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: names.template },
          spec: {
            storageClassName: wants.storageClass,
            accessModes: ['ReadWriteOnce'],
            volumeMode: wants.volumeMode,
            resources: { requests: { storage: formatQuantity(wants.bytes) } },
          },
        },
      ],
    },
  };
}

function setNames(
  claims: readonly string[],
): { readonly template: string; readonly set: string } | undefined {
  const match = /^([a-z0-9]+)-(.+)-0$/.exec(claims[0] ?? '');
  const [, template = '', set = ''] = match ?? [];
  const isSet = match && claims.every((claim, at) => claim === `${template}-${set}-${at}`);
  return isSet ? { template, set } : undefined;
}

function containerPart(name: string, wants: Wants, { path, readOnly }: Mount): JsonObject {
  const { cpu, memory, volumeMode } = wants;
  const requests = { ...(cpu !== undefined && { cpu }), ...(memory !== undefined && { memory }) };
  return {
    name: 'main',
    ...(Object.keys(requests).length > 0 && { resources: { requests } }),
    ...(volumeMode === 'Block'
      ? { volumeDevices: [{ name, devicePath: path }] }
      : { volumeMounts: [{ name, mountPath: path, ...(readOnly && { readOnly }) }] }),
  };
}

function onNodes(nodes: readonly string[]): JsonObject {
  const names = [...new Set(nodes)];
  const onThese = { key: 'metadata.name', operator: 'In' };
  return {
    requiredDuringSchedulingIgnoredDuringExecution: {
      // A field of a node may be compared with one value only.
      nodeSelectorTerms: names.map((name) => ({ matchFields: [{ ...onThese, values: [name] }] })),
    },
  };
}

function tolerationsOf({ placement }: Wants): JsonObject {
  return placement.tolerations === undefined ? {} : { tolerations: placement.tolerations };
}
