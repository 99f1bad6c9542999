import { volumeName } from '../../src/model/names.ts';
import type { Pod } from '../../src/kube/objects.ts';
import type { Change, Stored } from './api-server.ts';
import { claimNames, View } from './cluster-objects.ts';
import type { Disk, Image } from './disk.ts';
import { growthViolations } from './growth.ts';
import type { Simulation } from './simulation.ts';

/** What must hold at every moment; the first thing that does not ends the simulation. */
export class Checks {
  /** The names of LocalVolumes and PersistentVolumes that the user has deleted. */
  readonly deletedByHand = new Set<string>();
  readonly #simulation: Simulation;
  readonly #born = new Map<string, number>();
  readonly #firstBind = new Map<string, number>();
  readonly #written = new Set<string>();
  readonly #violations: string[] = [];
  #isDirty = false;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** Looks at everything, if anything has changed. */
  run(): void {
    if (this.#isDirty) {
      this.#isDirty = false;
      this.#checkDisks();
      this.#checkVolumes();
      growthViolations(this.#simulation).forEach((violation) => this.#violate(violation));
    }
    const [first] = this.#violations;
    if (first !== undefined) {
      throw new Error(`VIOLATION: ${first}`);
    }
  }

  changed(resource: string, { before, after }: Change): void {
    this.#isDirty = true;
    if (resource === 'persistentvolumeclaims' && !before && after) {
      this.#born.set(after.metadata.uid, this.#simulation.world.now);
    }
    if (resource === 'pods' && before && !before.spec?.['nodeName'] && after?.spec?.['nodeName']) {
      this.#checkBound(after);
    }
  }

  /** A bind call has been sent. */
  bindBegins(podUid: string): void {
    const { now } = this.#simulation.world;
    this.#firstBind.set(podUid, Math.min(now, this.#firstBind.get(podUid) ?? now));
  }

  scores(scores: readonly { readonly score: number }[]): void {
    const wrong = scores.find(({ score }) => !(score >= 0 && score <= 10));
    if (wrong) {
      this.#violate(`a score is ${wrong.score}`);
    }
  }

  mounted(image: Image, claimUid: string): void {
    if (image.writtenBy !== undefined && image.writtenBy !== claimUid) {
      this.#violate(`claim ${claimUid} got the data of claim ${image.writtenBy}`);
    }
    if (this.#written.has(claimUid) && image.writtenBy !== claimUid) {
      this.#violate(`claim ${claimUid} got an empty volume in place of its data`);
    }
    this.#written.add(claimUid);
  }

  destroyed({ node, pool }: Disk, { name, volumeUid }: Image): void {
    this.#isDirty = true;
    const now = new View(this.#simulation.server);
    const volume = now.volume(name);
    const where = `image ${name} in ${pool} of ${node}`;
    if (volume?.metadata.uid !== volumeUid || volume.metadata.deletionTimestamp === undefined) {
      this.#violate(`${where} is destroyed, and its LocalVolume is not deleted`);
    }
    const isPublished = volume?.metadata.annotations?.['berth.dev/published'] === 'true';
    if (isPublished && now.claimOf(volume.spec.claimRef.uid)) {
      this.#violate(`${where} is destroyed, and its claim lives`);
    }
  }

  #violate(text: string): void {
    this.#violations.push(text);
  }

  #checkDisks(): void {
    const seen = new Map<string, string>();
    for (const { node, pool, limit, allocated, images } of this.#simulation.disks()) {
      if (allocated > limit) {
        this.#violate(`pool ${pool} of ${node} holds ${allocated} of ${limit}`);
      }
      for (const name of images.keys()) {
        const other = seen.get(name);
        if (other !== undefined) {
          this.#violate(`${name} is on disk twice: ${other} and ${node}/${pool}`);
        }
        seen.set(name, `${node}/${pool}`);
      }
    }
  }

  #checkVolumes(): void {
    const now = new View(this.#simulation.server);
    for (const { metadata, spec, status } of now.volumes()) {
      const image = this.#simulation.disk(spec.node, spec.pool).images.get(metadata.name);
      const isReady = status?.phase === 'Ready' && metadata.deletionTimestamp === undefined;
      if (isReady && image?.volumeUid !== metadata.uid) {
        this.#violate(`${metadata.name} is Ready on ${spec.node}, and its image is not there`);
      }
    }
    this.#checkPersistentVolumes(now);
  }

  #checkPersistentVolumes(now: View): void {
    for (const { metadata, spec } of now.persistentVolumes()) {
      const claim = now.claimOf(spec?.claimRef?.uid);
      if (metadata.name !== volumeName(spec?.claimRef?.uid ?? '')) {
        this.#violate(`${metadata.name} is for claim ${spec?.claimRef?.uid ?? ''}`);
      }
      const node = nodeOf(spec);
      const volume = now.volume(metadata.name);
      if (claim && volume?.spec.node !== node) {
        this.#violate(`${metadata.name} is on ${volume?.spec.node ?? 'no node'}, not on ${node}`);
      }
    }
  }

  /** All volumes of a pod lie on the node that it has just got. */
  #checkBound(object: Stored): void {
    const now = new View(this.#simulation.server);
    const pod = object as Stored & Pod;
    const node = pod.spec?.nodeName ?? '';
    const begun = this.#firstBind.get(pod.metadata.uid);
    for (const claim of claimNames(pod).map((name) => now.claim(name))) {
      const { uid = '', deletionTimestamp } = claim?.metadata ?? {};
      const name = volumeName(uid);
      const volume = now.volume(name);
      if (volume && volume.spec.node !== node && volume.metadata.deletionTimestamp === undefined) {
        this.#violate(`${pod.metadata.name} is on ${node}, its ${name} on ${volume.spec.node}`);
      }
      const isOld = begun !== undefined && (this.#born.get(uid) ?? Infinity) < begun;
      const isWhole = volume !== undefined && now.persistentVolume(name) !== undefined;
      if (isOld && deletionTimestamp === undefined && claim && !isWhole) {
        if (!this.deletedByHand.has(name)) {
          this.#violate(`${pod.metadata.name} is on ${node} without its ${name}`);
        }
      }
    }
  }
}

/** The node that a PersistentVolume is tied to. */
function nodeOf(spec: unknown): string {
  const text = JSON.stringify(spec);
  return /"kubernetes.io\/hostname","operator":"In","values":\["([^"]+)"\]/.exec(text)?.[1] ?? '';
}
