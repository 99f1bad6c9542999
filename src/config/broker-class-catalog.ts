import { createHash } from 'node:crypto';
import type { Catalog, Plan } from '../broker/plan.ts';
import { formatBytes, type Bytes } from '../model/bytes.ts';
import { parseDuration } from '../model/duration.ts';
import { provisioner } from '../model/names.ts';
import { parseClassParameters } from '../model/storage-class.ts';
import { usualPatience } from './broker-catalog.ts';

/** A StorageClass, as far as a plan can be made of it. */
export interface OfferedClass {
  readonly name: string;
  readonly provisioner: string;
  readonly parameters: Readonly<Record<string, string>>;
}

export interface ClassCatalogRules {
  /** The one service. Ids are made from it, so brokers of one platform need different ones. */
  readonly serviceName: string;
  readonly leastSize: Bytes;
  readonly mostSize: Bytes;
}

const mostVolumes = 16;

/**
 * A catalog of one service with a plan for each class of Berth. An id depends on the names of
 * service and class alone, so it is the same in every replica and after every start.
 */
export function catalogOfClasses(
  classes: readonly OfferedClass[],
  rules: ClassCatalogRules,
): Catalog {
  const { serviceName } = rules;
  const plans = classes
    .filter((one) => one.provisioner === provisioner)
    .flatMap((one) => planOf(one, rules) ?? [])
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const service = {
    id: stableId('service', serviceName),
    name: serviceName,
    description: 'Local disks of the nodes of a Kubernetes cluster',
    tags: ['storage', 'local'],
    plans,
  };
  // A service without plans is not allowed.
  return { services: plans.length === 0 ? [] : [service] };
}

function planOf({ name, parameters }: OfferedClass, rules: ClassCatalogRules): Plan | undefined {
  const read = parseClassParameters(parameters);
  if (!read.ok) {
    return undefined;
  }
  const { leastSize: least, mostSize: most, serviceName } = rules;
  return {
    id: stableId('plan', `${serviceName}/${name}`),
    name,
    description: `Volumes of StorageClass ${name}, ${formatBytes(least)} to ${formatBytes(most)} each`,
    free: true,
    storageClass: name,
    size: { kind: 'range', least, most, usual: least },
    count: { least: 1, most: mostVolumes, usual: 1 },
    spread: 'nodes',
    volumeMode: 'Filesystem',
    fsType: read.value.fsType,
    placement: {},
    placeholder: 'go',
    inUse: 'refuse',
    retainMs: 0,
    patienceMs: parseDuration(usualPatience) ?? 0,
    // Volumes stay in the class they were made in.
    updatableTo: [],
  };
}

/** A UUID of version 8, the one for digests of one's own (RFC 9562, 5.8). */
function stableId(kind: string, name: string): string {
  const hex = createHash('sha256').update(`berth broker ${kind} ${name}`).digest('hex');
  const variant = ((parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
