import { setTimeout as sleep } from 'node:timers/promises';

import { ApiError, type ApiClient } from '../cluster/api-client.ts';
import { claim, pod, type PodOptions } from '../support/objects.ts';
import type { Finding } from './checker.ts';
import type { ClaimPlan, LoadStep, PodPlan, Unit } from './plan.ts';
import type { Tenant } from './tenant.ts';
import { readObjects } from './world.ts';

const pods = '/api/v1/namespaces/default/pods';
const claims = '/api/v1/namespaces/default/persistentvolumeclaims';

/** Creates and deletes what the plan says, however often the API server has to be asked. */
export class Load {
  readonly #api: ApiClient;
  readonly #tenant: Tenant;
  /** The steps of a unit come one after another. */
  readonly #queues = new Map<string, Promise<void>>();
  /** What stays as it is until its next step begins, by name. */
  readonly #held = new Map<string, Unit>();
  readonly #findings: Finding[] = [];
  /** The tenant's last visit: what it is in at this moment is not taken away. */
  #visit: Promise<void> = Promise.resolve();

  constructor(api: ApiClient, tenant: Tenant) {
    this.#api = api;
    this.#tenant = tenant;
  }

  /** What was wrong with volumes when they were moved into. */
  get findings(): readonly Finding[] {
    return this.#findings;
  }

  get units(): readonly Unit[] {
    return [...this.#held.values()];
  }

  begin({ what, unit }: LoadStep): void {
    const before = this.#queues.get(unit.name) ?? Promise.resolve();
    const steps = {
      create: () => this.#create(unit),
      delete: () => this.#delete(unit),
      replace: () => this.#replace(unit),
      again: async () => {
        await this.#delete(unit);
        await this.#collected(unit);
        await this.#create(unit);
      },
    };
    const after = before.then(steps[what]);
    // Whoever waits for the end hears of a failure.
    after.catch(() => undefined);
    this.#queues.set(unit.name, after);
  }

  /** Resolves when all steps are done. */
  async ended(): Promise<void> {
    await Promise.all(this.#queues.values());
    this.#queues.clear();
  }

  /** Lets the tenant into the volumes of pods that have got their node. */
  moveIn(): Promise<void> {
    const visit = this.#visit.then(async () => {
      const held = new Set([...this.#held.values()].flatMap((unit) => claimNames(unit)));
      const objects = await readObjects(this.#api);
      const now = new Set([...this.#held.values()].flatMap((unit) => claimNames(unit)));
      const both = new Set([...held].filter((name) => now.has(name)));
      this.#findings.push(...(await this.#tenant.moveIn(objects, both)));
    });
    this.#visit = visit.catch(() => undefined);
    return visit;
  }

  /** As an administrator would who has seen that nobody misses the data of deleted claims. */
  async giveUpRetained(): Promise<void> {
    const { persistentVolumes, localVolumes } = await readObjects(this.#api);
    for (const { metadata, spec, status } of persistentVolumes) {
      const isRetained = spec.persistentVolumeReclaimPolicy === 'Retain';
      if (isRetained && status?.phase === 'Released' && !metadata.deletionTimestamp) {
        await this.#remove('/api/v1/persistentvolumes', metadata.name);
      }
    }
    for (const { metadata } of localVolumes) {
      const isRetained = metadata.annotations?.['berth.dev/retained'] === 'true';
      if (isRetained && !metadata.deletionTimestamp) {
        await this.#remove('/apis/berth.dev/v1alpha1/localvolumes', metadata.name);
      }
    }
  }

  async #create(unit: Unit): Promise<void> {
    for (const one of unit.claims) {
      await this.#post(claims, claim(one.name, one.className, `${one.mebibytes}Mi`));
    }
    for (const one of unit.pods) await this.#post(pods, podObject(one));
    this.#held.set(unit.name, unit);
  }

  async #delete(unit: Unit): Promise<void> {
    await this.#leave(unit);
    this.#tenant.moveOut(claimNames(unit));
    for (const one of unit.pods) await this.#remove(pods, one.name);
    for (const one of unit.claims) await this.#remove(claims, one.name);
  }

  /** As a controller would that replaces its pods: the claims stay. */
  async #replace(unit: Unit): Promise<void> {
    if (!this.#held.has(unit.name)) return;
    await this.#leave(unit);
    this.#tenant.moveOut(unit.pods.flatMap((one) => one.ephemeral.map(({ name }) => name)));
    for (const one of unit.pods) await this.#remove(pods, one.name);
    await this.#collected(unit);
    for (const one of unit.pods) await this.#post(pods, podObject(one));
    this.#held.set(unit.name, unit);
  }

  /**
   * Waits until the claims that were made for its pods are gone. A garbage collector whose watch is
   * broken when a pod is replaced sees one pod that has changed, and keeps the claims of the first
   * for ever: the second waits for them, whatever we do.
   */
  async #collected({ pods: ended }: Unit): Promise<void> {
    for (const { name } of ended.flatMap(({ ephemeral }) => ephemeral)) {
      await this.#insist(`see claim ${name} go`, async () => {
        const { items } = await this.#api.request<{ items: readonly unknown[] }>(
          'GET',
          `${claims}?fieldSelector=metadata.name%3D${name}`,
        );
        return items.length === 0;
      });
    }
  }

  /** From here on nobody moves in, and whoever was about to has done so. */
  async #leave(unit: Unit): Promise<void> {
    this.#held.delete(unit.name);
    await this.#visit;
  }

  async #post(path: string, object: object): Promise<void> {
    const { name } = (object as { metadata: { name: string } }).metadata;
    await this.#insist(`create ${name}`, async () => {
      try {
        await this.#api.request('POST', path, { body: object });
        return true;
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 409) throw error;
        // An answer that was lost, or a namesake that has not gone yet.
        const found = await this.#api.request<{ metadata: { deletionTimestamp?: string } }>(
          'GET',
          `${path}/${name}`,
        );
        return found.metadata.deletionTimestamp === undefined;
      }
    });
  }

  async #remove(path: string, name: string): Promise<void> {
    await this.#insist(`delete ${name}`, async () => {
      try {
        const body = { gracePeriodSeconds: 0 };
        await this.#api.request('DELETE', `${path}/${name}`, { body });
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 404) throw error;
      }
      return true;
    });
  }

  async #insist(what: string, work: () => Promise<boolean>): Promise<void> {
    const endsAt = performance.now() + 240_000;
    for (;;) {
      const [done, error] = await work().then(
        (value) => [value, undefined] as const,
        (cause: unknown) => [false, cause] as const,
      );
      if (done) return;
      if (performance.now() > endsAt) throw new Error(`could not ${what}`, { cause: error });
      await sleep(300);
    }
  }
}

/** All claims of a unit, also those that are made for its pods. */
function claimNames(unit: Unit): string[] {
  return [
    ...unit.claims.map(({ name }) => name),
    ...unit.pods.flatMap((one) => one.ephemeral.map(({ name }) => name)),
  ];
}

interface PodBody {
  spec: {
    containers: { volumeMounts: object[] }[];
    volumes: object[];
  };
}

function podObject({ name, claims: named, choosesScheduler, ephemeral }: PodPlan): object {
  const options: PodOptions = {
    claims: named,
    ...(choosesScheduler && { schedulerName: 'berth-scheduler' }),
  };
  const object = pod(name, options) as PodBody;
  for (const one of ephemeral) {
    const volume = one.name.slice(name.length + 1);
    object.spec.volumes.push({ name: volume, ephemeral: { volumeClaimTemplate: template(one) } });
    object.spec.containers[0]?.volumeMounts.push({ name: volume, mountPath: `/${volume}` });
  }
  return object;
}

function template({ name, className, mebibytes }: ClaimPlan): object {
  const { spec } = claim(name, className, `${mebibytes}Mi`) as { spec: object };
  return { spec };
}
