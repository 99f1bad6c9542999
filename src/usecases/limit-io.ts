import { strictest, type IoLimits } from '../model/io-limits.ts';
import { describeError } from '../model/errors.ts';
import type { IoLimitsStanding, LocalVolume } from '../model/volume.ts';
import { warnOwners } from './agent-volume.ts';
import type {
  IoLimitMeter,
  LimitedDevice,
  PodThrottle,
  PodVolumes,
  ShowIoLimits,
} from './io-limit-ports.ts';
import type { NodeVolumes } from './node-ports.ts';
import type { EventSink, Now } from './ports.ts';

export interface IoLimiterParts {
  readonly node: string;
  readonly volumes: Pick<NodeVolumes, 'get' | 'list'>;
  readonly pods: PodVolumes;
  readonly throttle: PodThrottle;
  readonly deviceOf: LimitedDevice;
  readonly show: ShowIoLimits;
  readonly events: EventSink;
  readonly meter: IoLimitMeter;
  readonly now: Now;
  /** A key of `reconcile` should be looked at soon. */
  readonly lookAt: (key: string) => void;
}

/** Stands among the uids of pods for a look at all of them. */
export const everyPod = 'every pod';
/** Stands for a look at what each volume shows, once the pods before it have been looked at. */
const everyVolume = 'every volume';

/** What does not work, and since when. */
interface Failure {
  readonly since: number;
  readonly message: string;
}

/** A pod that has volumes with limits. */
interface LimitedPod {
  readonly volumes: readonly string[];
  /** Why they do not hold. */
  readonly failing?: Failure | undefined;
}

/** A pod that begins has no cgroup for a moment, a node that boots no devices: only what lasts is told. */
const patienceMs = 10_000;

/**
 * Keeps the limits of volumes in the kernel for the pods that use them. Who uses a volume is what
 * kubelet has mounted, so it holds without the API server, after a restart and a reboot alike.
 * Watches nothing while no volume of the node has limits.
 */
export class IoLimiter {
  readonly #parts: IoLimiterParts;
  readonly #pods = new Map<string, LimitedPod>();
  readonly #told = new Map<string, string>();
  #watching: AbortController | undefined;
  /** Why nobody can be seen to use a volume. */
  #blind: Failure | undefined;

  constructor(parts: IoLimiterParts) {
    this.#parts = parts;
  }

  /** Ends the watch and forgets all pods: what the kernel has of them stays until they end. */
  stop(): void {
    this.#unwatch();
    [...this.#pods.keys()].forEach((pod) => this.#forget(pod));
    this.#blind = undefined;
    this.#count();
  }

  /**
   * Makes the limits hold for one pod, or for all of them. One key at a time, in their order.
   *
   * @param key - the uid of a pod, or `everyPod`
   * @throws Error where they do not hold: it is worth another try
   */
  async reconcile(key: string): Promise<undefined> {
    switch (key) {
      case everyPod:
        return this.#look();
      case everyVolume:
        return this.#showAll(this.#limited());
      default:
        return this.#lookAtPod(key);
    }
  }

  async #look(): Promise<undefined> {
    const { pods, lookAt } = this.#parts;
    if (this.#limited().length === 0) {
      this.stop();
      return;
    }
    try {
      await this.#watch();
      const known = new Set([...(await pods.pods()), ...this.#pods.keys()]);
      known.forEach(lookAt);
      this.#blind = undefined;
    } catch (error) {
      this.#unwatch();
      const message = `it cannot be seen who uses the volume: ${describeError(error)}`;
      this.#blind = { since: this.#blind?.since ?? this.#parts.now(), message };
      throw error;
    } finally {
      lookAt(everyVolume);
    }
  }

  async #lookAtPod(pod: string): Promise<undefined> {
    const before = this.#pods.get(pod)?.volumes ?? [];
    const volumes = await this.#limitedVolumesOf(pod);
    if (volumes.length === 0) {
      this.#forget(pod);
    }
    const error = volumes.length === 0 ? undefined : await this.#limit(pod, volumes);
    const touched = new Set([...before, ...volumes.map(({ name }) => name)]);
    await this.#showAll(this.#limited().filter(({ name }) => touched.has(name)));
    if (error !== undefined) {
      throw error;
    }
  }

  async #watch(): Promise<void> {
    if (this.#watching === undefined) {
      this.#watching = new AbortController();
      await this.#parts.pods.watch(this.#parts.lookAt, this.#watching.signal);
    }
  }

  #unwatch(): void {
    this.#watching?.abort();
    this.#watching = undefined;
  }

  #limited(): readonly LocalVolume[] {
    return this.#parts.volumes.list().filter(({ spec }) => spec.ioLimits !== undefined);
  }

  async #limitedVolumesOf(pod: string): Promise<readonly LocalVolume[]> {
    const { pods, volumes } = this.#parts;
    const all = (await pods.volumesOf(pod)).map((name) => volumes.get(name));
    return all.filter((volume) => volume?.spec.ioLimits !== undefined) as readonly LocalVolume[];
  }

  #forget(pod: string): void {
    this.#parts.throttle.forget(pod);
    this.#pods.delete(pod);
  }

  async #limit(pod: string, volumes: readonly LocalVolume[]): Promise<Error | undefined> {
    const { throttle, lookAt, now } = this.#parts;
    const names = volumes.map(({ name }) => name);
    try {
      const limits = await this.#byDevice(volumes);
      await throttle.limit(pod, limits, () => lookAt(pod));
      this.#pods.set(pod, { volumes: names });
      return undefined;
    } catch (error) {
      const since = this.#pods.get(pod)?.failing?.since ?? now();
      const message = describeError(error);
      this.#pods.set(pod, { volumes: names, failing: { since, message } });
      return new Error(message, { cause: error });
    }
  }

  /** Two volumes of a pod may lie on one disk: the kernel has one limit for both then. */
  async #byDevice(volumes: readonly LocalVolume[]): Promise<ReadonlyMap<string, IoLimits>> {
    const limits = new Map<string, IoLimits>();
    for (const { name, spec, status } of volumes) {
      if (status.path === undefined) {
        throw new Error(`volume ${name} has no path yet`);
      }
      const device = await this.#parts.deviceOf(status.path);
      limits.set(device, strictest([limits.get(device) ?? {}, spec.ioLimits ?? {}]));
    }
    return limits;
  }

  async #showAll(volumes: readonly LocalVolume[]): Promise<undefined> {
    for (const volume of volumes) {
      const standing = this.#standingOf(volume);
      this.#tell(volume, standing?.message);
      await this.#parts.show(volume, standing);
    }
    this.#count();
  }

  #standingOf({ name }: LocalVolume): IoLimitsStanding | undefined {
    if (this.#blind !== undefined && this.#lasts(this.#blind)) {
      return { applied: false, pods: 0, message: this.#blind.message };
    }
    const users = [...this.#pods].filter(([, { volumes }]) => volumes.includes(name));
    const settled = users.filter(([, { failing }]) => !failing || this.#lasts(failing));
    const message = settled.map(([, { failing }]) => failing?.message).find(Boolean);
    return settled.length === 0
      ? undefined
      : { applied: message === undefined, pods: settled.length, ...(message && { message }) };
  }

  #lasts({ since }: Failure): boolean {
    return this.#parts.now() - since >= patienceMs;
  }

  #tell(volume: LocalVolume, message: string | undefined): void {
    const { node, events } = this.#parts;
    if (message === undefined) {
      this.#told.delete(volume.uid);
    } else if (this.#told.get(volume.uid) !== message) {
      this.#told.set(volume.uid, message);
      warnOwners(volume, 'IoLimitsNotApplied', `node ${node}: ${message}`, events);
    }
  }

  #count(): void {
    const standings = this.#limited().map((volume) => this.#standingOf(volume));
    const used = standings.filter((standing) => standing !== undefined);
    const applied = used.filter((standing) => standing.applied).length;
    this.#parts.meter.count(applied, used.length - applied);
  }
}
