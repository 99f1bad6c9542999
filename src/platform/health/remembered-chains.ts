import { readFile, stat } from 'node:fs/promises';
import type { DeviceChain, DeviceChains } from '../../usecases/health-ports.ts';
import type { Now } from '../../usecases/ports.ts';

/** Extents can be moved to another disk of the same node while everything keeps its name. */
const rememberedMs = 120_000;
/** All paths of one look are asked for within this. */
const oneLookMs = 1_000;
const mostKnown = 4_096;

/**
 * The same, with what lies below a block device remembered as long as its path leads to the same
 * device and no disk of the node comes or goes: it is asked for every volume, again and again.
 */
export function rememberedChains(chains: DeviceChains, now: Now): DeviceChains {
  const known = new Map<
    string,
    { chain: DeviceChain; device: string; disks: string; at: number }
  >();
  let disks: { readonly text: Promise<string>; readonly at: number } | undefined;

  function disksNow(): Promise<string> {
    if (disks === undefined || now() - disks.at > oneLookMs) {
      disks = { text: disksOfNode(), at: now() };
    }
    return disks.text;
  }

  return {
    below: async (path) => {
      const file = await stat(path).catch(() => undefined);
      if (file?.isBlockDevice() !== true) {
        known.delete(path);
        return chains.below(path);
      }
      const [device, seen] = [`${file.rdev}`, await disksNow()];
      const last = known.get(path);
      const isFresh = last !== undefined && now() - last.at < rememberedMs;
      if (isFresh && last.device === device && last.disks === seen) {
        return last.chain;
      }
      const chain = await chains.below(path);
      if (known.size >= mostKnown) {
        known.clear();
      }
      known.set(path, { chain, device, disks: seen, at: now() });
      return chain;
    },
  };
}

/** Loop devices come and go with volumes; one that changes has another path or number. */
async function disksOfNode(): Promise<string> {
  const text = await readFile('/proc/partitions', 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => !/ loop\d+$/.test(line))
    .join('\n');
}
