import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type { Pod } from '../../src/kube/objects.ts';
import { bytes, formatBytes } from '../../src/model/bytes.ts';
import type { CapacityAnswer } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import type { Scene } from './bring-up.ts';
import { podNames } from './objects.ts';
import { table } from './progress.ts';

/** Where each pod's volume is, and what the pod itself sees of it. */
export async function showPlacement({ cluster }: Scene): Promise<void> {
  const kube = new Kube(cluster);
  const volumes = await kube.list<LocalVolumeObject>('LocalVolume');
  const rows = await Promise.all(
    podNames.map(async (name) => {
      const { spec } = await kube.get<Pod>('Pod', name);
      const claim = `data-${name}`;
      const volume = volumes.find((one) => one.spec.claimRef.name === claim);
      const size = formatBytes(bytes(volume?.spec.bytes ?? 0));
      const inside = await dfInside(cluster, name);
      return [name, spec?.nodeName ?? '', claim, size, inside, volume?.status?.path ?? ''];
    }),
  );
  table([['POD', 'NODE', 'CLAIM', 'SIZE', 'DF IN THE POD', 'PATH ON THE NODE'], ...rows]);
}

/** The line of `df` without the device and the mount point: a filesystem of its own size. */
async function dfInside(cluster: Scene['cluster'], pod: string): Promise<string> {
  const text = await cluster.kubectl(['exec', pod, '--', 'df', '-h', '/data']);
  const [, size = '?', used = '?', free = '?'] = text.trim().split('\n').at(-1)?.split(/\s+/) ?? [];
  return `${size}, ${used} used, ${free} left`;
}

/** What every pool could give at first, and can give now. */
export function showCapacity(before: CapacityAnswer, after: CapacityAnswer): void {
  const text = (size: number | undefined): string =>
    size === undefined ? '?' : formatBytes(bytes(size));
  const rows = after.nodes.flatMap(({ node, pools }) =>
    pools.map(({ pool, total, free, volumes }) => {
      const at = before.nodes.find((one) => one.node === node);
      const then = at?.pools.find((one) => one.pool === pool);
      return [node, pool, text(total), text(then?.free), text(free), String(volumes)];
    }),
  );
  table([['NODE', 'POOL', 'TOTAL', 'FREE BEFORE', 'FREE NOW', 'VOLUMES'], ...rows]);
}
