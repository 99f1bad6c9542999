import type { Progress } from '../../../src/broker/instance.ts';
import { whyNotWhole } from '../../../src/broker/places.ts';
import { standingOf } from '../../../src/broker/standing.ts';
import { volumeName } from '../../../src/model/names.ts';
import type { StoredInstance } from '../../../src/usecases/broker-ports.ts';
import { eventAbout, type BrokerCluster } from './cluster.ts';

/** What must hold at every moment; the first thing that does not ends the simulation. */
export class BrokerChecks {
  /** Records with a claim or a volume that somebody else has taken away. */
  readonly harmed = new Set<string>();
  readonly #cluster: BrokerCluster;

  constructor(cluster: BrokerCluster) {
    this.#cluster = cluster;
  }

  violate(text: string): never {
    throw new Error(`VIOLATION: ${text}`);
  }

  /** The working half has written how far an operation is. */
  told(stored: StoredInstance, progress: Progress): void {
    this.#whyNoRoom(stored, progress);
    const { instance, uid } = stored;
    const { id, operation, wants } = instance;
    if (this.harmed.has(id) || progress.state === 'in progress') {
      return;
    }
    const { claims, placeholders } = this.#cluster.partsOf(uid);
    if (operation.kind === 'provision' && progress.state === 'failed') {
      if (claims.length + placeholders.length > 0) {
        this.violate(`${id} has failed, and a part of it is left`);
      }
    }
    if (operation.kind === 'deprovision' || progress.state === 'failed') {
      return;
    }
    const places = claims.map((claim) => ({ ...this.#cluster.place(claim), trouble: undefined }));
    const fault = whyNotWhole(places, wants);
    if (claims.length !== wants.count || claims.some(({ bound }) => !bound)) {
      this.violate(`${id} counts as made, and ${wants.count} claims are not bound`);
    }
    if (claims.some(({ owned }) => owned)) {
      this.violate(`${id} counts as made, and a claim goes with its record`);
    }
    if (fault !== undefined) {
      this.violate(`${id} counts as made: ${fault}`);
    }
    if (claims.some(({ capacity = 0 }) => capacity < wants.bytes)) {
      this.violate(`${id} counts as made, and a volume is too small`);
    }
    const nodes = progress.volumes.map(({ node }) => node).sort();
    const real = places.map(({ node }) => node).sort();
    if (nodes.join() !== real.join()) {
      this.violate(`${id} is told to be on ${nodes.join()}, and is on ${real.join()}`);
    }
  }

  /** Who gives up because there is no room has waited for our events that were not lost. */
  #whyNoRoom({ instance, uid }: StoredInstance, { work }: Progress): void {
    const { step, reason = '' } = work ?? {};
    if (step !== 'undoing' || !/^no place for \d+ of \d+ volumes:/.test(reason)) {
      return;
    }
    for (const pod of this.#cluster.pods.values()) {
      const isRefused = pod.record.uid === uid && pod.standing === 'refused';
      if (isRefused && pod.eventMs < 5_000 && !reason.includes(eventAbout(pod.uid))) {
        this.violate(`${instance.id} is given up with "${reason}", and ${pod.name} has an event`);
      }
    }
  }

  /** The record of an instance is gone: so is all else, but for what the plan keeps. */
  removed({ instance, uid }: StoredInstance): void {
    const { claims, volumes, leftToNodes } = this.#cluster;
    for (const claim of claims.values()) {
      if (claim.recordUid === uid && claim.until === undefined) {
        this.violate(`${instance.id} is gone, and claim ${claim.name} is not`);
      }
    }
    for (const [name, { claim }] of volumes) {
      const isKept = claim?.until !== undefined || leftToNodes.has(name);
      if (claim?.recordUid === uid && !isKept) {
        this.violate(`${instance.id} is gone, and volume ${name} is not`);
      }
    }
  }

  /** The broker takes a claim away, and with it the data. */
  removing(name: string, uid: string): void {
    const claim = this.#cluster.claims.get(name);
    const stored = claim && this.#cluster.records.get(claim.record);
    if (claim?.uid !== uid || stored?.uid !== claim.recordUid) {
      return;
    }
    const standing = standingOf(stored.instance);
    if (standing === 'there' || standing === 'updating') {
      this.violate(`claim ${name} is taken away, and its instance is ${standing}`);
    }
  }

  /** Once nobody wants anything any more. */
  nothingLeft(): void {
    const { records, claims, pods, volumes, nodes } = this.#cluster;
    const left = [
      ...[...records.keys()].map((id) => `record ${id}`),
      ...[...claims.keys()].map((name) => `claim ${name}`),
      ...[...pods.keys()].map((name) => `pod ${name}`),
      ...[...volumes.keys()].map((name) => `volume ${name}`),
      ...[...nodes].flatMap(([name, { size }]) =>
        this.#cluster.free(name) === size ? [] : [`room on ${name}`],
      ),
    ];
    if (left.length > 0) {
      this.violate(`left over: ${left.join(', ')}`);
    }
  }

  /** Somebody else takes away what an instance has. */
  harm(name: string): void {
    const claim = this.#cluster.claims.get(name);
    if (claim) {
      this.harmed.add(claim.record);
      this.#cluster.volumes.delete(volumeName(claim.uid));
      Object.assign(claim, { lost: true });
      this.#cluster.changed(claim.record);
    }
  }
}
