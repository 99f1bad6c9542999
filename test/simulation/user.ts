import fc from 'fast-check';
import { schedulerName } from '../../src/model/names.ts';
import { namespace, pathOf, View } from './cluster-objects.ts';
import type { Simulation } from './simulation.ts';
import { otherScheduler } from './volume-binding.ts';

export const nodeNames = ['n1', 'n2', 'n3'] as const;

/** A claim's class and size hang on its number, so that a claim made again is the same. */
const claims = [
  { className: 'fast', size: '30Mi' },
  { className: 'fast', size: '25Mi' },
  { className: 'slow', size: '40Mi' },
  { className: 'fast', size: '12Mi' },
  { className: 'keep', size: '20Mi' },
] as const;

export const processNames = [
  'control-0',
  'control-1',
  'agent-n1',
  'agent-n2',
  'agent-n3',
  'scheduler-0',
  'scheduler-1',
] as const;

/** How a pod comes to its node. */
const ways = [
  'extender',
  'extender',
  'extender',
  'ephemeral',
  'other scheduler',
  'by hand',
] as const;

export type Action =
  | {
      readonly do: 'make pod';
      readonly pod: number;
      readonly claims: readonly number[];
      readonly way: (typeof ways)[number];
      readonly node: number;
    }
  | { readonly do: 'delete pod' | 'delete claim' | 'make claim'; readonly which: number }
  | { readonly do: 'grow claim'; readonly which: number; readonly mebibytes: number }
  | { readonly do: 'delete pod and claims'; readonly which: number }
  | { readonly do: 'delete volume' | 'delete persistent volume'; readonly which: number }
  | { readonly do: 'relabel node'; readonly node: number }
  | { readonly do: 'grow pool'; readonly pool: 'fast' | 'slow' }
  | { readonly do: 'kill'; readonly process: (typeof processNames)[number] }
  | {
      readonly do: 'pause';
      readonly process: (typeof processNames)[number];
      readonly seconds: number;
    };

/** What happens, and how long before. */
export type Timed = Action & { readonly afterMs: number };

const aNumber = fc.nat({ max: claims.length - 1 });
const aProcess = fc.constantFrom(...processNames);
const aMoment = fc.oneof(
  fc.nat({ max: 50 }),
  fc.nat({ max: 500 }),
  fc.nat({ max: 5_000 }),
  fc.nat({ max: 40_000 }),
);

const just = <const T extends string>(...values: T[]): fc.Arbitrary<T> =>
  fc.constantFrom(...values);

const anAction: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: just('make pod'),
      pod: aNumber,
      claims: fc.uniqueArray(aNumber, { minLength: 1, maxLength: 2 }),
      way: just(...ways),
      node: fc.nat({ max: nodeNames.length - 1 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: just('delete pod', 'delete claim', 'make claim'), which: aNumber }),
  },
  { weight: 3, arbitrary: fc.record({ do: just('delete pod and claims'), which: aNumber }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: just('delete volume', 'delete persistent volume'),
      which: aNumber,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: just('grow claim'),
      which: aNumber,
      mebibytes: fc.integer({ min: 1, max: 24 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: just('relabel node'), node: fc.nat({ max: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ do: just('grow pool'), pool: just('fast', 'slow') }) },
  { weight: 3, arbitrary: fc.record({ do: just('kill'), process: aProcess }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: just('pause'),
      process: aProcess,
      seconds: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 90 })),
    }),
  },
);

export const aHistory: fc.Arbitrary<readonly Timed[]> = fc.array(
  fc.tuple(anAction, aMoment).map(([action, afterMs]) => ({ ...action, afterMs })),
  { minLength: 1, maxLength: 24 },
);

/** Does what the user, the operator or fate does. What cannot be done now is left. */
export function perform(simulation: Simulation, action: Action): void {
  simulation.world.say('user', JSON.stringify(action));
  switch (action.do) {
    case 'make pod':
      makePod(simulation, action);
      break;
    case 'make claim':
      makeClaim(simulation, action.which);
      break;
    case 'grow claim':
      growClaim(simulation, action);
      break;
    case 'delete pod':
      remove(simulation, 'pods', `p${action.which}`);
      break;
    case 'delete claim':
      remove(simulation, 'persistentvolumeclaims', `c${action.which}`);
      break;
    case 'delete pod and claims':
      removeWithClaims(simulation, `p${action.which}`);
      break;
    case 'delete volume':
      removeSome(simulation, 'localvolumes', action.which);
      break;
    case 'delete persistent volume':
      removeSome(simulation, 'persistentvolumes', action.which);
      break;
    case 'relabel node':
      relabel(simulation, nodeNames[action.node] ?? 'n1');
      break;
    case 'grow pool':
      grow(simulation, action.pool);
      break;
    case 'kill':
      simulation.kill(action.process);
      break;
    case 'pause':
      simulation.pause(action.process, action.seconds * 1000);
      break;
  }
}

function makePod(
  simulation: Simulation,
  { pod, claims: used, way, node }: Extract<Action, { do: 'make pod' }>,
): void {
  const name = `p${pod}`;
  const { server } = simulation;
  if (server.find('pods', name, namespace)) {
    return;
  }
  if (way !== 'ephemeral') {
    used.forEach((which) => makeClaim(simulation, which));
  }
  const volumes = used.map((which) =>
    way === 'ephemeral'
      ? { name: `e${which}`, ephemeral: { volumeClaimTemplate: { spec: claimSpec(which) } } }
      : { name: `c${which}`, persistentVolumeClaim: { claimName: `c${which}` } },
  );
  const spec = {
    schedulerName: way === 'other scheduler' ? otherScheduler : schedulerName,
    ...(way === 'by hand' ? { nodeName: nodeNames[node] } : {}),
    containers: [],
    volumes,
  };
  server.create(`/api/v1/namespaces/${namespace}/pods`, { metadata: { name }, spec });
}

function makeClaim({ server }: Simulation, which: number): void {
  const name = `c${which}`;
  if (!server.find('persistentvolumeclaims', name, namespace)) {
    const path = `/api/v1/namespaces/${namespace}/persistentvolumeclaims`;
    server.create(path, { metadata: { name }, spec: claimSpec(which) });
  }
}

function claimSpec(which: number): object {
  const { className, size } = claims[which] ?? claims[0];
  return {
    storageClassName: className,
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: size } },
  };
}

function remove({ server }: Simulation, resource: string, name: string): void {
  const inNamespace = resource === 'pods' || resource === 'persistentvolumeclaims';
  if (server.find(resource, name, inNamespace ? namespace : undefined)) {
    server.delete(pathOf(resource, name));
  }
}

function removeWithClaims(simulation: Simulation, pod: string): void {
  const object = new View(simulation.server).pods().find(({ metadata }) => metadata.name === pod);
  remove(simulation, 'pods', pod);
  for (const { persistentVolumeClaim } of object?.spec?.volumes ?? []) {
    remove(simulation, 'persistentvolumeclaims', persistentVolumeClaim?.claimName ?? '');
  }
}

/** The API server takes this of claims that are bound, and of no other. */
function growClaim(
  { server }: Simulation,
  { which, mebibytes }: Extract<Action, { do: 'grow claim' }>,
): void {
  const bound = new View(server).claims().filter(({ status }) => status?.phase === 'Bound');
  const claim = bound[which % Math.max(1, bound.length)];
  if (claim !== undefined) {
    const size = Number.parseInt(claim.spec?.resources?.requests?.['storage'] ?? '', 10);
    const requests = { storage: `${size + mebibytes}Mi` };
    server.patch(pathOf('persistentvolumeclaims', claim.metadata.name), {
      spec: { resources: { requests } },
    });
  }
}

function removeSome(simulation: Simulation, resource: string, which: number): void {
  const all = simulation.server.list(resource);
  const name = all[which % Math.max(1, all.length)]?.metadata.name;
  if (name !== undefined) {
    simulation.checks.deletedByHand.add(name);
    simulation.world.say('user', `deletes ${resource} ${name}`);
    simulation.server.delete(pathOf(resource, name));
  }
}

function relabel({ server }: Simulation, node: string): void {
  const labels = server.find('nodes', node)?.metadata.labels ?? {};
  const disk = labels['disk'] === 'ssd' ? null : 'ssd';
  server.patch(pathOf('nodes', node), { metadata: { labels: { disk } } });
}

function grow({ server }: Simulation, pool: string): void {
  const spec = server.find('storagepools', pool)?.spec as { loop: { size: string } };
  const size = `${Number.parseInt(spec.loop.size, 10) + 16}Mi`;
  server.patch(pathOf('storagepools', pool), { spec: { loop: { size } } });
}
