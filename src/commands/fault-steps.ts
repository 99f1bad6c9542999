import type { KubeApi } from '../kube/api.ts';
import type { FaultPoints } from '../platform/fault-points.ts';
import type { RunCommand } from '../platform/run-command.ts';
import type { InstanceStore, PartStore } from '../usecases/broker-ports.ts';
import type {
  ClaimStore,
  PersistentVolumeStore,
  PodStore,
  VolumeStore,
} from '../usecases/cluster.ts';
import type { DiscoveryBoard } from '../usecases/discovery-ports.ts';
import type { MediumStore } from '../usecases/keep-discovery.ts';
import type { Filesystems, NodeBoard, NodeVolumes, StandingStore } from '../usecases/node-ports.ts';
import type { StorageBackend } from '../usecases/ports.ts';

/** The environment variable with the directory of the fault points. */
export const faultDirectoryVariable = 'BERTH_FAULT_POINTS';

type AsyncMethod = (...args: never[]) => Promise<unknown>;

/** Per method of a port the step that calling it is. */
type Steps<T> = {
  readonly [K in keyof T as T[K] extends AsyncMethod ? K : never]?: string;
};

interface Lease {
  readonly renew: (at: number) => Promise<void>;
}

/** Every step of `berth control` that a fault can come before and after. */
export const controlSteps = {
  pods: {
    read: 'bind.read-pod',
    bind: 'bind.post-binding',
    touch: 'wake.touch-pod',
  } satisfies Steps<PodStore>,
  bindVolumes: {
    ensure: 'bind.ensure-volume',
    waitUntil: 'bind.await-volume',
    markPublished: 'bind.mark-published',
    read: 'undo.read-volume',
    markDeleted: 'undo.mark-deleted',
    releaseToAgent: 'undo.drop-finalizer',
  } satisfies Steps<VolumeStore>,
  bindPersistentVolumes: {
    ensure: 'bind.ensure-persistent-volume',
  } satisfies Steps<PersistentVolumeStore>,
  growClaims: {
    setCapacity: 'grow.write-claim',
  } satisfies Steps<ClaimStore>,
  growVolumes: {
    promise: 'grow.promise',
  } satisfies Steps<VolumeStore>,
  growPersistentVolumes: {
    setCapacity: 'grow.write-persistent-volume',
  } satisfies Steps<PersistentVolumeStore>,
  releaseClaims: {
    read: 'release.read-claim',
  } satisfies Steps<ClaimStore>,
  releaseVolumes: {
    read: 'release.read-volume',
    markRetained: 'release.mark-retained',
    markDeleted: 'release.mark-deleted',
    releaseToAgent: 'release.drop-finalizer',
  } satisfies Steps<VolumeStore>,
  releasePersistentVolumes: {
    read: 'release.read-persistent-volume',
    remove: 'release.remove-persistent-volume',
  } satisfies Steps<PersistentVolumeStore>,
  media: {
    make: 'discovery.make-persistent-volume',
    markDeleted: 'discovery.mark-deleted',
    ask: 'discovery.ask-to-clean',
    letGo: 'discovery.drop-finalizer',
    forget: 'discovery.forget-request',
  } satisfies Steps<MediumStore>,
  leaderLease: {
    create: 'lead.make-lease',
    replace: 'lead.write-lease',
  } satisfies Steps<KubeApi>,
} as const;

/** Every step of the working half of `berth broker` that a fault can come before and after. */
export const brokerSteps = {
  instances: {
    tell: 'broker.tell',
    remove: 'broker.forget',
  } satisfies Steps<InstanceStore>,
  parts: {
    read: 'broker.read-parts',
    makeClaim: 'broker.make-claim',
    makePlaceholder: 'broker.make-placeholder',
    removeClaim: 'broker.remove-claim',
    removePlaceholder: 'broker.remove-placeholder',
    free: 'broker.free-claim',
    resize: 'broker.resize-claim',
    retain: 'broker.retain-claim',
  } satisfies Steps<PartStore>,
  lease: {
    replace: 'broker.write-lease',
  } satisfies Steps<KubeApi>,
} as const;

/** Every step of `berth node` that a fault can come before and after. */
export const nodeSteps = {
  storage: {
    ensure: 'create.ensure-image',
    grow: 'grow.grow-image',
    find: 'create.find-image',
    attach: 'create.attach',
    remove: 'remove.erase',
    usage: 'report.measure',
  } satisfies Steps<StorageBackend>,
  volumes: {
    setStatus: 'create.write-status',
    release: 'remove.drop-finalizer',
  } satisfies Steps<NodeVolumes>,
  filesystems: {
    grow: 'grow.filesystem',
    blank: 'create.blank',
    make: 'create.format',
  } satisfies Steps<Filesystems>,
  board: {
    publish: 'report.publish',
  } satisfies Steps<NodeBoard>,
  standings: {
    write: 'report.write-standing',
  } satisfies Steps<StandingStore>,
  discovery: {
    write: 'discovery.write',
    isAsked: 'discovery.read-request',
  } satisfies Steps<DiscoveryBoard>,
  lease: {
    renew: 'report.renew-lease',
  } satisfies Steps<Lease>,
} as const;

/** Steps inside the calls of a backend: the programs that it runs. */
export const commandSteps: readonly {
  readonly step: string;
  readonly program: string;
  readonly argument: string;
}[] = [
  { step: 'create.allocate', program: 'fallocate', argument: '--length' },
  { step: 'grow.follow', program: 'losetup', argument: '--set-capacity' },
  { step: 'create.attach-device', program: 'losetup', argument: '--find' },
  { step: 'remove.detach-device', program: 'losetup', argument: '--detach' },
];

/** The names of the two fault points of a step. */
export function pointsOf(step: string): readonly [before: string, after: string] {
  return [`${step}.before`, `${step}.after`];
}

/** A port whose calls are steps with a fault point before and after; without points the port itself. */
export function atSteps<T extends object>(
  port: T,
  steps: Steps<T>,
  points: FaultPoints | undefined,
): T {
  if (points === undefined) {
    return port;
  }
  const stepped = Object.entries<string>(steps as Record<string, string>).map(([method, step]) => {
    const call = port[method as keyof T] as (...args: unknown[]) => Promise<unknown>;
    return [method, (...args: unknown[]) => at(step, () => call.apply(port, args), points)];
  });
  return { ...port, ...(Object.fromEntries(stepped) as Partial<T>) };
}

/** The same for the programs that a backend runs. */
export function commandsAtSteps(run: RunCommand, points: FaultPoints | undefined): RunCommand {
  if (points === undefined) {
    return run;
  }
  return (program, args, ...rest) => {
    const work = (): Promise<string> => run(program, args, ...rest);
    const found = commandSteps.find(
      (each) => each.program === program && args.includes(each.argument),
    );
    return found === undefined ? work() : at(found.step, work, points);
  };
}

async function at<T>(step: string, work: () => Promise<T>, points: FaultPoints): Promise<T> {
  const [before, after] = pointsOf(step);
  points.pass(before);
  const result = await work();
  points.pass(after);
  return result;
}
