import { rm } from 'node:fs/promises';
import { formatBytes, sumBytes } from '../../model/bytes.ts';
import { NoSpaceError } from '../../model/errors.ts';
import type { ErasePolicy, VolumeIdentity } from '../../model/volume.ts';
import { ensureLink } from '../../platform/files.ts';
import {
  ForeignVolumeError,
  type BackendVolume,
  type PoolUsage,
  type StorageBackend,
  type VolumeRequest,
} from '../../usecases/ports.ts';
import type { BackendSurroundings } from '../backend.ts';
import { tellKernel } from './gpt-kernel.ts';
import { measureRooms, type Cutting } from './gpt-layout.ts';
import { gptDisks } from './gpt-look.ts';
import { roomsOf, volumeMaking } from './gpt-making.ts';
import { erasePlaced, renamePlaced, stillOn } from './gpt-changes.ts';
import { tableReader } from './gpt-reader.ts';
import { ownVolume, recognise, type PlacedVolume } from './gpt-volumes.ts';
import { planAdoption } from './proven.ts';

/** Volumes are partitions of disks that belong to the pool; all that is known of them is in their tables. */
export function openGptPool(cutting: Cutting, around: BackendSurroundings): StorageBackend {
  const { pool, runDir, run, inTurn } = around;
  const readTable = tableReader(run);
  const disks = gptDisks({ ...around, readTable });
  const link = (name: string): string => `${runDir}/${name}`;

  async function usage(signal: AbortSignal): Promise<PoolUsage> {
    const look = await disks.settle('present', signal);
    const { unused, ...room } = measureRooms(roomsOf(look), cutting);
    const volumes = look.partitions.volumes.map(({ volume }) => volume);
    const allocated = sumBytes(volumes.map(({ allocatedBytes }) => allocatedBytes));
    const total = sumBytes([allocated, unused]);
    const names = volumes.map(({ name }) => name);
    return { total, allocated, ...room, volumes: names, disks: look.disks };
  }

  async function find(identity: VolumeIdentity): Promise<PlacedVolume | undefined> {
    const seen = ownVolume((await disks.look('present')).partitions, identity);
    if (seen !== undefined) {
      return seen;
    }
    const { partitions, blind } = await disks.look('all');
    const found = ownVolume(partitions, identity);
    if (found === undefined && blind !== undefined) {
      throw new ForeignVolumeError(`nobody can tell where ${identity.name} is: ${blind}`);
    }
    return found;
  }

  /** A partition could grow only into what happens to be free just behind it. */
  async function grow(request: VolumeRequest): Promise<BackendVolume> {
    const found = await find(request);
    if (found === undefined) {
      throw new Error(`no partition on the disks of pool ${pool} is ${request.name}`);
    }
    const { volume } = found;
    if (volume.bytes < request.bytes) {
      throw new NoSpaceError(
        `${request.name} is a partition of ${formatBytes(volume.bytes)} in pool ${pool}, ${formatBytes(request.bytes)} are asked: partitions do not grow`,
      );
    }
    return volume;
  }

  async function attach(identity: VolumeIdentity): Promise<string> {
    const found = await find(identity);
    if (found === undefined) {
      throw new Error(`no partition on the disks of pool ${pool} is ${identity.name}`);
    }
    const path = await inTurn(async () =>
      tellKernel(found.on.disk.path, await stillOn(found, readTable), run),
    );
    await ensureLink(link(identity.name), path);
    return link(identity.name);
  }

  async function adopt(from: VolumeIdentity, to: VolumeRequest): Promise<BackendVolume> {
    const { partitions } = await disks.look('all');
    const heir = recognise(partitions, to.name);
    const own = (identity: VolumeIdentity) => ownVolume(partitions, identity);
    const { isDone, found } = await planAdoption(heir, own, { from, to });
    if (isDone) {
      return found.volume;
    }
    const adopted = await renamePlaced(found, to, { run, readTable });
    await rm(link(from.name), { force: true });
    return adopted;
  }

  /** @throws Error where it may be on a disk that cannot be read */
  async function searchAll(name: string): Promise<PlacedVolume | undefined> {
    const { partitions, blind } = await disks.look('all');
    const found = recognise(partitions, name);
    if (found === undefined && blind !== undefined) {
      throw new Error(`nobody can tell whether ${name} is still there: ${blind}`);
    }
    return found;
  }

  async function remove(
    { name, volumeUid }: VolumeIdentity,
    erase: ErasePolicy,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const seen = recognise((await disks.look('present')).partitions, name);
    const found = seen ?? (await searchAll(name));
    if (found !== undefined && found.volume.volumeUid !== volumeUid) {
      return undefined;
    }
    const done = found && (await erasePlaced(found, erase, erasing(name, signal)));
    await rm(link(name), { force: true });
    return done;
  }

  async function removeStray(
    name: string,
    erase: ErasePolicy,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { volumes, strays } = (await disks.look('all')).partitions;
    const [found, another] = strays.filter(({ stray }) => stray.name === name);
    if (volumes.some(({ volume }) => volume.name === name)) {
      throw new ForeignVolumeError(`${name} is a volume`);
    }
    if (found !== undefined && another !== undefined) {
      throw new ForeignVolumeError(`${found.stray.reason}: one has to be removed by hand`);
    }
    return found && erasePlaced(found, erase, erasing(name, signal));
  }

  const erasing = (name: string, signal: AbortSignal) => ({
    ...{ run, readTable, inTurn, signal, link: link(name) },
  });

  return {
    attach,
    remove,
    removeStray,
    list: async () => {
      const { volumes, strays } = (await disks.look('present')).partitions;
      return {
        volumes: volumes.map(({ volume }) => volume),
        strays: strays.map(({ stray }) => stray),
      };
    },
    grow,
    find: async (identity) => (await find(identity))?.volume,
    usage: (signal) => inTurn(() => usage(signal)),
    ensure: volumeMaking({ pool, cutting, disks, inTurn, run, readTable }),
    adopt: (from, to) => inTurn(() => adopt(from, to)),
  };
}
