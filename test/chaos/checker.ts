import {
  bytesOf,
  type ClaimObject,
  type Disks,
  type LocalVolumeObject,
  type NodeObject,
  type Objects,
  type Places,
  type PodObject,
  type PersistentVolumeObject,
  type PoolFile,
  type World,
} from './world.ts';

/** `violation`: a promise is broken; `leaked`: something is left over; `stuck`: something waits in vain. */
export interface Finding {
  readonly kind: 'violation' | 'leaked' | 'stuck';
  readonly text: string;
}

const headerBytes = 2 ** 20;

const violation = (text: string): Finding => ({ kind: 'violation', text });
const leaked = (text: string): Finding => ({ kind: 'leaked', text });
const stuck = (text: string): Finding => ({ kind: 'stuck', text });

type Totals = Pick<Places, 'nodes' | 'pools'>;

/** What must hold of the files at every moment, whatever is being killed. */
export function checkFiles(files: readonly PoolFile[], places: Totals): Finding[] {
  const found: Finding[] = [];
  for (const node of places.nodes) {
    for (const [pool, total] of places.pools) {
      const sum = sumOf(files.filter((file) => file.node === node && file.pool === pool));
      if (sum > total) {
        found.push(violation(`pool ${pool} of ${node} holds ${sum} bytes, its total is ${total}`));
      }
    }
  }
  const images = files.filter(({ isImage }) => isImage);
  for (const [name, same] of grouped(images, (image) => image.name)) {
    if (same.length > 1) {
      const where = same.map(({ node, pool }) => `${node}/${pool}`).join(', ');
      found.push(violation(`${same.length} images of ${name}: ${where}`));
    }
  }
  return found;
}

/** What must hold of the objects at every moment. */
export function checkObjects({ persistentVolumes, localVolumes }: Objects): Finding[] {
  const owned = [
    ...[...grouped(persistentVolumes, ({ spec }) => spec.claimRef?.uid ?? '')].map(
      ([uid, same]) => ({ uid, kind: 'PersistentVolumes', count: same.length }),
    ),
    ...[...grouped(localVolumes, ({ spec }) => spec.claimRef.uid)].map(([uid, same]) => ({
      uid,
      kind: 'LocalVolumes',
      count: same.length,
    })),
  ];
  return owned
    .filter(({ uid, count }) => uid !== '' && count > 1)
    .map(({ uid, kind, count }) => violation(`${count} ${kind} for the claim with uid ${uid}`));
}

/**
 * What must hold of pods that have a node, at every moment: all of their claims are there.
 *
 * @param later - read after `objects`: what has gone meanwhile says nothing
 */
export function checkPods(objects: Objects, later: Objects): Finding[] {
  const still = new Set(later.pods.map(({ metadata }) => metadata.uid));
  return objects.pods
    .filter(({ metadata, spec }) => spec.nodeName !== undefined && still.has(metadata.uid))
    .flatMap((pod) =>
      claimNamesOf(pod).flatMap((name) => {
        const claim = objects.claims.find(({ metadata }) => metadata.name === name);
        const volume = objects.persistentVolumes.find(
          ({ spec }) => spec.claimRef?.uid === claim?.metadata.uid,
        );
        const node = volume && nodeOf(volume);
        return claim !== undefined && node === pod.spec.nodeName
          ? []
          : [
              violation(
                `pod ${pod.metadata.name} has node ${pod.spec.nodeName ?? ''}, its claim ${name} ${
                  node === undefined ? 'has no volume' : `is on ${node}`
                }`,
              ),
            ];
      }),
    );
}

/** What must hold, besides, when nothing is under way any more. */
export function checkQuiet(world: World, places: Totals): Finding[] {
  return [
    ...checkFiles(world.files, places),
    ...checkObjects(world),
    ...checkPods(world, world),
    ...world.claims.flatMap((claim) => checkClaim(claim, world)),
    ...checkReports(world, places),
    ...checkLeft(world),
    ...checkWaiting(world, places),
  ];
}

function checkClaim(claim: ClaimObject, world: World): Finding[] {
  const { name, uid, deletionTimestamp } = claim.metadata;
  const isUsed = world.pods.some((pod) => claimNamesOf(pod).includes(name));
  if (deletionTimestamp !== undefined && !isUsed) {
    return [stuck(`claim ${name} is deleted, not used, and does not go`)];
  }
  const volume = world.localVolumes.find(({ spec }) => spec.claimRef.uid === uid);
  const persistent = world.persistentVolumes.find(({ spec }) => spec.claimRef?.uid === uid);
  if (claim.spec.volumeName === undefined && persistent === undefined) {
    const text = `claim ${name} is not bound, and has the LocalVolume of a broken bind`;
    return volume === undefined ? [] : [leaked(text)];
  }
  return problemsOfBound(claim, volume, persistent, world).map((problem) =>
    violation(`claim ${name}: ${problem}`),
  );
}

function problemsOfBound(
  claim: ClaimObject,
  volume: LocalVolumeObject | undefined,
  persistent: PersistentVolumeObject | undefined,
  world: World,
): string[] {
  const phase = claim.status?.phase ?? '?';
  if (persistent === undefined) return ['its PersistentVolume is not there'];
  if (phase !== 'Bound' || persistent.metadata.name !== claim.spec.volumeName) {
    return [`is ${phase}, and not bound to its PersistentVolume`];
  }
  if (volume === undefined) return ['has no LocalVolume'];
  const { node, pool, bytes } = volume.spec;
  const ready = volume.status?.phase ?? 'not begun';
  const wanted = bytesOf(claim.spec.resources.requests.storage);
  const image = world.files.find(
    (file) => file.isImage && file.node === node && file.pool === pool && isOf(file, volume),
  );
  const claims: readonly (readonly [holds: boolean, problem: string])[] = [
    [volume.metadata.name === `pvc-${claim.metadata.uid}`, `has ${volume.metadata.name}`],
    [ready === 'Ready', `its LocalVolume is ${ready}`],
    [nodeOf(persistent) === node, 'its PersistentVolume names another node'],
    [bytes >= wanted, `has ${bytes} bytes, and asked for ${wanted}`],
    [image !== undefined, `has no image in pool ${pool} of ${node}`],
    [image === undefined || image.size >= headerBytes + bytes, 'its image is too small'],
    [image === undefined || isBehindItsLink(volume, image, world), 'its link leads elsewhere'],
  ];
  return claims.flatMap(([holds, problem]) => (holds ? [] : [problem]));
}

function isOf(file: PoolFile, { metadata, spec }: LocalVolumeObject): boolean {
  const { header } = file;
  return (
    file.name === metadata.name &&
    header?.name === metadata.name &&
    header.volumeUid === metadata.uid &&
    header.pool === spec.pool
  );
}

/** kubelet would follow the link to a device that has exactly this image. */
function isBehindItsLink(
  { metadata, spec }: LocalVolumeObject,
  image: PoolFile,
  { links, loops }: Disks,
): boolean {
  const link = links.find(({ node, name }) => node === spec.node && name === metadata.name);
  const loop = loops.find(({ device }) => device === link?.target);
  return loop?.inode === image.inode && loop.offset === headerBytes && loop.size === spec.bytes;
}

/** What the nodes say is free is what their disks have. */
function checkReports({ nodes, storageNodes, files }: World, places: Totals): Finding[] {
  return places.nodes.flatMap((name) => {
    const node = nodes.find(({ metadata }) => metadata.name === name);
    const storageNode = storageNodes.find(({ metadata }) => metadata.name === name);
    return [...places.pools].flatMap(([pool, total]) => {
      const here = files.filter((file) => file.node === name && file.pool === pool);
      const free = total - sumOf(here);
      const said = node && reportOf(node, pool);
      const told = storageNode?.status?.pools?.find((one) => one.name === pool)?.free;
      const right = said?.total === total && said.free === free && said.healthy;
      return right && told === free
        ? []
        : [
            violation(
              `pool ${pool} of ${name} has ${free} of ${total} free, its Node says ${JSON.stringify(said)}, its StorageNode ${told ?? 'nothing'}`,
            ),
          ];
    });
  });
}

interface Report {
  readonly total: number;
  readonly free: number;
  readonly healthy: boolean;
}

function reportOf({ metadata }: NodeObject, pool: string): Report | undefined {
  const text = metadata.annotations?.[`capacity.berth.dev/${pool}`];
  return text === undefined ? undefined : (JSON.parse(text) as Report);
}

/** Nothing is there that no living claim has asked for. */
function checkLeft(world: World): Finding[] {
  const { claims, localVolumes, persistentVolumes, files, links, loops, storageNodes } = world;
  const living = new Set(claims.map(({ metadata }) => metadata.uid));
  const names = new Set(localVolumes.map(({ metadata }) => metadata.name));
  const isAsked = (file: PoolFile): boolean =>
    localVolumes.some(
      (volume) =>
        isOf(file, volume) && volume.spec.node === file.node && volume.spec.pool === file.pool,
    );
  return [
    ...localVolumes
      .filter(({ spec }) => !living.has(spec.claimRef.uid))
      .map(({ metadata }) => leaked(`LocalVolume ${metadata.name} without a claim`)),
    ...persistentVolumes
      .filter(({ spec }) => !living.has(spec.claimRef?.uid ?? ''))
      .map(({ metadata }) => leaked(`PersistentVolume ${metadata.name} without a claim`)),
    ...files
      .filter((file) => !file.isImage || !isAsked(file))
      .map(({ path }) => leaked(`${path}, which no LocalVolume asks for`)),
    ...links
      .filter(({ name }) => !names.has(name))
      .map(({ node, name }) => leaked(`link ${name} on ${node}`)),
    ...loops
      .filter(
        ({ volume, inode }) => !files.some((file) => file.inode === inode) || !names.has(volume),
      )
      .map(({ device, volume }) => leaked(`${device} of ${volume}`)),
    ...storageNodes.flatMap(({ metadata, status }) =>
      (status?.orphans ?? []).map(({ name, reason }) =>
        leaked(`orphan ${name} on ${metadata.name}: ${reason}`),
      ),
    ),
  ];
}

/** A pod that waits although one node has all that it needs. */
function checkWaiting(world: World, places: Totals): Finding[] {
  return world.pods
    .filter(({ spec }) => spec.nodeName === undefined)
    .flatMap((pod) => {
      const needs = needsOf(pod, world);
      if (needs === undefined) return [stuck(`pod ${pod.metadata.name}: a claim is missing`)];
      const fits = places.nodes.filter((node) => fit(needs, node, world, places));
      return fits.length === 0
        ? []
        : [stuck(`pod ${pod.metadata.name} waits, and would fit on ${fits.join(', ')}`)];
    });
}

interface Needs {
  /** The nodes of volumes that exist. */
  readonly nodes: readonly string[];
  readonly wanted: readonly { readonly pool: string; readonly bytes: number }[];
}

function needsOf(pod: PodObject, world: World): Needs | undefined {
  const templates = new Map(
    (pod.spec.volumes ?? []).map(({ name, ephemeral }) => [
      `${pod.metadata.name}-${name}`,
      ephemeral?.volumeClaimTemplate.spec,
    ]),
  );
  const nodes: string[] = [];
  const wanted: { pool: string; bytes: number }[] = [];
  for (const name of claimNamesOf(pod)) {
    const claim = world.claims.find(({ metadata }) => metadata.name === name);
    const spec = claim?.spec ?? templates.get(name);
    if (spec === undefined) return undefined;
    const volume = world.localVolumes.find((one) => one.spec.claimRef.uid === claim?.metadata.uid);
    const bytes = headerBytes + bytesOf(spec.resources.requests.storage);
    if (volume !== undefined) nodes.push(volume.spec.node);
    else wanted.push({ pool: poolOfClass(spec.storageClassName ?? ''), bytes });
  }
  return { nodes, wanted };
}

function fit(needs: Needs, node: string, { files }: World, places: Totals): boolean {
  if (needs.nodes.some((one) => one !== node)) return false;
  return [...grouped(needs.wanted, ({ pool }) => pool)].every(([pool, parts]) => {
    const here = files.filter((file) => file.node === node && file.pool === pool);
    const free = (places.pools.get(pool) ?? 0) - sumOf(here);
    return parts.reduce((sum, { bytes }) => sum + bytes, 0) <= free;
  });
}

/** Classes of a run are called `<pool>.<what is special about it>`. */
function poolOfClass(className: string): string {
  return className.split('.')[0] ?? '';
}

export function claimNamesOf({ metadata, spec }: PodObject): string[] {
  return (spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim !== undefined) return [persistentVolumeClaim.claimName];
    return ephemeral === undefined ? [] : [`${metadata.name}-${name}`];
  });
}

/** The one node that a PersistentVolume can be reached from. */
function nodeOf({ spec }: PersistentVolumeObject): string | undefined {
  const [term] = spec.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  return term?.matchExpressions?.[0]?.values?.[0];
}

function sumOf(files: readonly PoolFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

function grouped<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  }
  return groups;
}
