import type { Bytes } from '../model/bytes.ts';
import type { InstanceVolume, Wants } from './instance.ts';

/** Where a volume of an instance is. */
export interface Place {
  readonly claim: string;
  readonly persistentVolume: string;
  readonly node: string;
  readonly zone: string | undefined;
  readonly bytes: Bytes;
  /** Why the volume cannot be used there. */
  readonly trouble?: string | undefined;
}

/**
 * Why volumes that are all there do not make a whole instance: one of them went with its node, or
 * two are in one place, since the placeholder of one was gone while another was placed.
 */
export function whyNotWhole(places: readonly Place[], { spread }: Wants): string | undefined {
  const troubled = places.find(({ trouble }) => trouble !== undefined);
  if (troubled) {
    return `volume ${troubled.persistentVolume} on node ${troubled.node}: ${troubled.trouble}`;
  }
  if (spread === 'none') {
    return undefined;
  }
  const where = places.map(({ node, zone }) => (spread === 'zones' ? zone : node));
  return new Set(where).size === places.length
    ? undefined
    : `the volumes are not on different ${spread}: ${where.map((one) => one ?? 'none').join(', ')}`;
}

export function shownVolume(place: Place): InstanceVolume {
  const { claim, persistentVolume, node, zone, bytes } = place;
  return { claim, persistentVolume, node, ...(zone !== undefined && { zone }), bytes };
}
