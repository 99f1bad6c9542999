import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

import type { Finding } from './checker.ts';
import { claimNamesOf } from './checker.ts';
import type { Objects, Places, PoolFile } from './world.ts';

/** What was written into the volume of a claim. */
interface Written {
  readonly claim: string;
  readonly uid: string;
  readonly node: string;
}

const dataAt = 2 ** 20;
const blockBytes = 64 * 1024;

/**
 * Uses volumes as their owners would: writes something of its own into each new one, after a
 * look at whether it is empty, and looks later whether it is still there.
 */
export class Tenant {
  readonly #places: Places;
  readonly #written = new Map<string, Written>();

  constructor(places: Places) {
    this.#places = places;
  }

  get volumes(): number {
    return this.#written.size;
  }

  /**
   * Writes into the volumes of pods that have a node and were not written to yet.
   *
   * @param held - the claims that nobody deletes before this has ended
   */
  async moveIn(objects: Objects, held: ReadonlySet<string>): Promise<Finding[]> {
    const found: Finding[] = [];
    for (const pod of objects.pods) {
      const node = pod.spec.nodeName;
      for (const name of node === undefined ? [] : claimNamesOf(pod)) {
        const claim = objects.claims.find(({ metadata }) => metadata.name === name);
        const uid = claim?.metadata.uid ?? '';
        const isNew = claim?.status?.phase === 'Bound' && !this.#written.has(uid);
        if (isNew && held.has(name)) {
          found.push(...(await this.#write({ claim: name, uid, node: node ?? '' })));
        }
      }
    }
    return found;
  }

  /** Forgets what belonged to claims that are being, or have been, deleted. */
  moveOut(claims: readonly string[]): void {
    for (const [uid, { claim }] of this.#written) {
      if (claims.includes(claim)) this.#written.delete(uid);
    }
  }

  /** Whether everything written is still there: in the image, where `files` are given, or behind the link. */
  async lookAfter(files?: readonly PoolFile[]): Promise<Finding[]> {
    const found = await Promise.all(
      [...this.#written.values()].map(async (one) => {
        const problem = files === undefined ? await this.#look(one) : await inImage(one, files);
        // Moved out while this looked: nobody promises anything any more.
        return problem === undefined || this.#written.get(one.uid) !== one
          ? []
          : [lost(one, problem)];
      }),
    );
    return found.flat();
  }

  async #write(one: Written): Promise<Finding[]> {
    try {
      const file = await open(this.#device(one), 'r+');
      try {
        const { size, foreign } = await contentOf(file);
        const pattern = patternOf(one.uid);
        await file.write(pattern, 0, blockBytes, 0);
        await file.write(pattern, 0, blockBytes, size - blockBytes);
        await file.sync();
        this.#written.set(one.uid, one);
        const text = `the new volume of claim ${one.claim} on ${one.node} holds old bytes at ${foreign ?? ''}`;
        return foreign === undefined ? [] : [{ kind: 'violation', text }];
      } finally {
        await file.close();
      }
    } catch (error) {
      return [lost(one, String(error))];
    }
  }

  async #look(one: Written): Promise<string | undefined> {
    try {
      const file = await open(this.#device(one), 'r');
      try {
        return await compare(file, one, 0);
      } finally {
        await file.close();
      }
    } catch (error) {
      return String(error);
    }
  }

  #device({ uid, node }: Written): string {
    return join(this.#places.folder(node, '/run/berth'), 'volumes', `pvc-${uid}`);
  }
}

function lost({ claim, node }: Written, problem: string): Finding {
  return { kind: 'violation', text: `data of claim ${claim} on ${node}: ${problem}` };
}

type File = Awaited<ReturnType<typeof open>>;

async function inImage(one: Written, files: readonly PoolFile[]): Promise<string | undefined> {
  const image = files.find(({ name, node }) => name === `pvc-${one.uid}` && node === one.node);
  if (image === undefined) return 'its image is gone';
  try {
    const file = await open(image.path, 'r');
    try {
      return await compare(file, one, dataAt);
    } finally {
      await file.close();
    }
  } catch (error) {
    return String(error);
  }
}

async function compare(file: File, { uid }: Written, at: number): Promise<string | undefined> {
  const block = Buffer.alloc(blockBytes);
  await file.read(block, 0, blockBytes, at);
  return block.equals(patternOf(uid)) ? undefined : 'what was written is not there any more';
}

function patternOf(uid: string): Buffer {
  return Buffer.alloc(blockBytes, createHash('sha256').update(uid).digest());
}

/** The size of a device, and where the first byte is that is not zero. */
async function contentOf(file: File): Promise<{ size: number; foreign: number | undefined }> {
  const chunk = Buffer.alloc(2 ** 20);
  let size = 0;
  let foreign: number | undefined;
  for (;;) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, size);
    if (bytesRead === 0) return { size, foreign };
    const at = chunk.subarray(0, bytesRead).findIndex((byte) => byte !== 0);
    if (at >= 0) foreign ??= size + at;
    size += bytesRead;
  }
}
