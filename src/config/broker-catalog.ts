import { load } from 'js-yaml';
import { placeholderRules, inUseRules, spreads } from '../broker/plan.ts';
import type { Catalog, Json, Plan, Service } from '../broker/plan.ts';
import { describeError } from '../model/errors.ts';
import { err, ok, type Result } from '../model/result.ts';
import { shown } from '../model/shown.ts';
import { fsTypes, volumeModes } from '../model/volume.ts';
import { readCount, readPlacement, readSize } from './broker-plan-rules.ts';
import { Entries } from './entries.ts';

const id = /^[A-Za-z0-9._~-]{1,255}$/;
const idAllowed = '1 to 255 letters, digits, dots, hyphens, underscores and tildes are required';
const name = /^[A-Za-z0-9][A-Za-z0-9.-]{0,254}$/;
const nameAllowed = '1 to 255 letters, digits, dots and hyphens are required';
const words = /^[^\p{Cc}]{1,1024}$/u;
const wordsAllowed = 'a text of 1 to 1024 characters is required';
const className = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
/** Of semver.org, as the specification requires of versions of maintenance. */
const version = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/;
const quantity = /^[0-9]+([.][0-9]+)?([munkMGTPE]|[KMGTPE]i)?$/;
const quantityAllowed = 'a quantity such as 500m, 2 or 4Gi is allowed';

export const usualPatience = '10m';

/**
 * Reads the catalog from a file in YAML or JSON.
 *
 * @returns the catalog, or every mistake at once
 */
export function parseCatalog(text: string): Result<Catalog, readonly string[]> {
  let content: unknown;
  try {
    content = load(text);
  } catch (error) {
    return err([`the file is no YAML: ${describeError(error)}`]);
  }
  const mistakes: string[] = [];
  const file = new Entries(content, '', mistakes);
  if (mistakes.length === 0 && !file.has('services')) {
    file.complain('services', 'a list is required');
  }
  const services = file.each('services').map(readService);
  file.nothingElse();
  mistakes.push(...whatIsDouble(services));
  return mistakes.length === 0 ? ok({ services }) : err(mistakes);
}

function readService(entries: Entries): Service {
  const metadata = entries.object('metadata');
  const plans = entries.each('plans');
  const service = {
    id: entries.text('id', id, idAllowed),
    name: entries.text('name', name, nameAllowed),
    description: entries.text('description', words, wordsAllowed),
    tags: entries.texts('tags') ?? [],
    ...(metadata && { metadata: metadata as Json }),
    plans: plans.map(readPlan),
  };
  if (plans.length === 0) {
    entries.complain('plans', 'a list with at least one plan is required');
  }
  entries.nothingElse();
  return { ...service, plans: resolveUpdates(service.plans, plans) };
}

function readPlan(entries: Entries): Plan {
  const metadata = entries.object('metadata');
  const plan = {
    id: entries.text('id', id, idAllowed),
    name: entries.text('name', name, nameAllowed),
    description: entries.text('description', words, wordsAllowed),
    free: entries.flag('free', true),
    ...(metadata && { metadata: metadata as Json }),
    storageClass: entries.text('storageClass', className, 'the name of a StorageClass is required'),
    size: readSize(entries),
    count: readCount(entries),
    spread: entries.choice('spread', spreads, 'nodes'),
    volumeMode: entries.choice('volumeMode', volumeModes, 'Filesystem'),
    ...(entries.has('fsType') && { fsType: entries.choice('fsType', fsTypes, 'ext4') }),
    ...readResources(entries),
    placement: readPlacement(entries),
    placeholder: entries.choice('placeholder', placeholderRules, 'go'),
    inUse: entries.choice('inUse', inUseRules, 'refuse'),
    retainMs: entries.duration('retain', '0s'),
    patienceMs: entries.duration('patience', usualPatience),
    ...readLimits(entries),
    ...readMaintenance(entries),
    ...(entries.has('updatableTo') && { updatableTo: entries.texts('updatableTo') ?? [] }),
  };
  entries.nothingElse();
  return plan;
}

function readResources(entries: Entries): Pick<Plan, 'cpu' | 'memory'> {
  const read = (field: string): string => {
    const value = entries.any(field);
    // A whole number of processors is a number in YAML.
    return typeof value === 'number' && value > 0
      ? String(value)
      : entries.text(field, quantity, quantityAllowed);
  };
  return {
    ...(entries.has('cpu') && { cpu: read('cpu') }),
    ...(entries.has('memory') && { memory: read('memory') }),
  };
}

function readLimits(entries: Entries): Pick<Plan, 'quota' | 'maximumPollingSeconds'> {
  const polling = entries.has('maximumPollingDuration')
    ? Math.ceil(entries.duration('maximumPollingDuration', '') / 1000)
    : undefined;
  return {
    ...(entries.has('quota') && { quota: entries.wholeNumber('quota', 0, 1_000_000) }),
    ...(polling !== undefined && { maximumPollingSeconds: polling }),
  };
}

function readMaintenance(entries: Entries): Pick<Plan, 'maintenance'> {
  if (!entries.has('maintenance')) {
    return {};
  }
  const given = entries.within('maintenance');
  const maintenance = {
    version: given.text('version', version, 'a semantic version such as 1.2.0 is required'),
    ...(given.has('description') && {
      description: given.text('description', words, wordsAllowed),
    }),
  };
  given.nothingElse();
  return { maintenance };
}

/** The file names plans as people do; everything else names them by their ids. */
function resolveUpdates(plans: readonly Plan[], entries: readonly Entries[]): readonly Plan[] {
  return plans.map((plan, at) => {
    if (plan.updatableTo === undefined) {
      return plan;
    }
    const updatableTo = plan.updatableTo.flatMap((to) => {
      const other = plans.find((one) => one.name === to);
      if (other === undefined) {
        const allowed = plans.map((one) => one.name).join(', ');
        entries[at]?.complain('updatableTo', `${shown(to)} is no plan of the service: ${allowed}`);
      }
      return other?.id ?? [];
    });
    return { ...plan, updatableTo };
  });
}

/** Ids have to differ over all of the catalog, names of plans within their service. */
function whatIsDouble(services: readonly Service[]): readonly string[] {
  const plans = services.flatMap((service) => service.plans);
  return [
    ...doubles(
      'id',
      [...services, ...plans].map((one) => one.id),
    ),
    ...doubles(
      'name of a service',
      services.map((one) => one.name),
    ),
    ...services.flatMap((service) =>
      doubles(
        `name of a plan in ${service.name}`,
        service.plans.map((one) => one.name),
      ),
    ),
  ];
}

function doubles(what: string, values: readonly string[]): readonly string[] {
  const once = new Set<string>();
  const repeated = new Set<string>();
  for (const value of values.filter((one) => one !== '')) {
    (once.has(value) ? repeated : once).add(value);
  }
  return [...repeated].map((value) => `${what} ${shown(value)} is there more than once`);
}
