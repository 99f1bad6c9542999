import { execFile } from 'node:child_process';
import { open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LocalVolumeObject } from '../../src/kube/custom-objects.ts';
import type { PersistentVolumeClaim } from '../../src/kube/objects.ts';
import { volumeName } from '../../src/model/names.ts';
import { waitFor } from '../cluster/wait.ts';
import { berthFile, type Installation } from './installation.ts';
import type { Kube } from './kube.ts';
import { claim, pod } from './objects.ts';

const run = promisify(execFile);
const soon = { timeoutMs: 30_000, intervalMs: 20 };

/** The disks of one hollow node as its agent has them, and the claims that live there. */
export class HollowPool {
  readonly #berth: Installation;
  readonly #kube: Kube;
  readonly node: string;

  constructor(berth: Installation, kube: Kube, node: string) {
    this.#berth = berth;
    this.#kube = kube;
    this.node = node;
  }

  /** The folder of a pool, from outside. */
  folder(pool: string): string {
    return join(this.#berth.hollowFolder(this.node, '/var/lib/berth'), 'pools', pool);
  }

  async images(pool: string): Promise<readonly string[]> {
    return (await readdir(this.folder(pool))).sort();
  }

  /** Where the data of a volume is. */
  async device(volume: string): Promise<string> {
    return readlink(join(this.#berth.hollowFolder(this.node, '/run/berth'), 'volumes', volume));
  }

  async write(volume: string, text: string): Promise<void> {
    const handle = await open(await this.device(volume), 'r+');
    await handle.write(text, 0);
    await handle.sync();
    await handle.close();
  }

  async read(volume: string, length: number): Promise<string> {
    const handle = await open(await this.device(volume), 'r');
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, 0);
    await handle.close();
    return buffer.toString();
  }

  /** A claim bound on this node without a scheduler, by a pod that was assigned by hand. */
  async bind(name: string, className: string, size: string): Promise<string> {
    await this.ask(name, className, size);
    const { metadata } = await this.#kube.volumeOf(name);
    return metadata?.name ?? '';
  }

  /** The same without waiting for anything. @returns the name that its volume will have */
  async ask(name: string, className: string, size: string): Promise<string> {
    await this.#kube.create(claim(name, className, size));
    const { metadata } = await this.#kube.get<PersistentVolumeClaim>('PersistentVolumeClaim', name);
    const user = pod(name, { claims: [name] }) as { spec: object };
    await this.#kube.create({ ...user, spec: { ...user.spec, nodeName: this.node } });
    return volumeName(metadata?.uid ?? '');
  }

  /** Deletes a claim and its pod. */
  async release(name: string): Promise<void> {
    await this.#kube.delete('Pod', name);
    await this.#kube.delete('PersistentVolumeClaim', name);
  }

  /** A volume with `text` in it whose objects were torn away by force. @returns its name */
  async orphan(name: string, className: string, size: string, text: string): Promise<string> {
    const volume = await this.bind(name, className, size);
    await this.write(volume, text);
    const path = `/apis/berth.dev/v1alpha1/localvolumes/${volume}`;
    await this.#berth.cluster.api.patch(path, { metadata: { finalizers: null } });
    await this.#kube.delete('LocalVolume', volume);
    await this.release(name);
    await this.#kube.gone('PersistentVolume', volume);
    return volume;
  }

  localVolume(name: string): Promise<LocalVolumeObject | undefined> {
    return this.#kube.find<LocalVolumeObject>('LocalVolume', name);
  }

  async freeIs(pool: string, free: number): Promise<void> {
    await waitFor(
      `${free} bytes to be free in pool ${pool}`,
      async () => (await this.#kube.report(this.node, pool))?.free === free,
      { ...soon, explain: async () => JSON.stringify(await this.#kube.report(this.node, pool)) },
    );
  }

  /** Runs a command for people, as the administrator. @returns what it printed */
  async berth(...words: readonly string[]): Promise<string> {
    const { kubeconfig } = this.#berth.cluster;
    const args = [berthFile, ...words, '--kubeconfig', kubeconfig];
    const { stdout } = await run(process.execPath, args);
    return stdout;
  }
}
