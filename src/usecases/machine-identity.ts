import type { LocalVolume } from '../model/volume.ts';
import type { NodeVolumes } from './node-ports.ts';

/**
 * Tells whether this machine is the one that the volumes of this node were made on.
 *
 * A machine that was replaced, or installed anew, under the same node name has another id. Its
 * data disks may have survived, so each volume is looked for: one that is found goes on, one
 * that is not is lost, and does not keep its pool from being made anew.
 */
export class MachineIdentity {
  readonly #volumes: Pick<NodeVolumes, 'list'>;
  #id = '';
  #change = '';
  /** Uids of what was made on the former machine and has not been found on this one. */
  readonly #missing = new Set<string>();
  /** Those of them that have not been called lost yet either. */
  readonly #undecided = new Set<string>();

  constructor(volumes: Pick<NodeVolumes, 'list'>) {
    this.#volumes = volumes;
  }

  /**
   * Compares, once and before any volume is looked at. An id that is missing says nothing.
   *
   * @param recorded - the id that an earlier agent of this node has written down
   * @returns what is to be told where the machine is another one
   */
  compare(id: string, recorded = ''): string | undefined {
    this.#id = id;
    if (id === '' || recorded === '' || id === recorded) {
      return undefined;
    }
    this.#change = `machine id ${recorded} before, ${id} now`;
    const made = this.#volumes.list().filter(wasMade);
    for (const { uid } of made) {
      this.#missing.add(uid);
      this.#undecided.add(uid);
    }
    return (
      `the machine was replaced, or installed anew (${this.#change}). ` +
      `${made.length} volumes were made on it: those that are not on its disks now are lost`
    );
  }

  /**
   * The id to write down: only once every volume of the former machine was found or called lost,
   * so that an agent that is killed before begins with the comparison again.
   */
  get idToRecord(): string | undefined {
    const isDecided = !this.#volumes.list().some(({ uid }) => this.#undecided.has(uid));
    return isDecided && this.#id !== '' ? this.#id : undefined;
  }

  /** Why a volume that is not there is lost, where the machine is the reason. */
  lossOf(uid: string): string | undefined {
    return this.#missing.has(uid)
      ? `the machine of the node was replaced (${this.#change}): it is not on the disks of this one`
      : undefined;
  }

  found(uid: string): void {
    this.#missing.delete(uid);
    this.#undecided.delete(uid);
  }

  calledLost(uid: string): void {
    this.#undecided.delete(uid);
  }
}

function wasMade({ status }: LocalVolume): boolean {
  return status.allocatedBytes !== undefined;
}
