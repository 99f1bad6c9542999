import type { PoolFacts } from '../admission/check-pool.ts';
import type { ClassFacts } from '../admission/check-class.ts';
import type { NodeTerm, Requirement } from '../admission/node-terms.ts';
import type { ContainerResources, PodScheduling } from '../admission/pod-facts.ts';
import { adoptsAnnotation } from '../model/names.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { NewClaim } from '../usecases/admit-claim.ts';
import type { PodClaim, PodRequest } from '../usecases/admit-pod.ts';
import { isRecord, type AdmissionRequest } from './admission-wire.ts';

/** The older way to name a class, which Kubernetes still puts before the field. */
const classAnnotation = 'volume.beta.kubernetes.io/storage-class';

/**
 * Reads fields of an object that may have any shape. A missing or null field is empty, as in
 * Kubernetes; one of the wrong type is a mistake, and is collected.
 */
class Fields {
  readonly #mistakes: string[] = [];

  object(value: unknown, at: string): Record<string, unknown> {
    return this.#take(value, isRecord, { at, what: 'an object' }) ?? {};
  }

  list(value: unknown, at: string): readonly unknown[] {
    const isList = (v: unknown): v is unknown[] => Array.isArray(v);
    return this.#take(value, isList, { at, what: 'a list' }) ?? [];
  }

  text(value: unknown, at: string): string {
    return this.optionalText(value, at) ?? '';
  }

  optionalText(value: unknown, at: string): string | undefined {
    return this.#take(value, (v) => typeof v === 'string', { at, what: 'a text' });
  }

  /** A Kubernetes quantity may also stand as a bare number. */
  quantity(value: unknown, at: string): string {
    return typeof value === 'number' ? String(value) : this.text(value, at);
  }

  /** @param parsed - made before, so that all its mistakes are collected */
  result<T>(parsed: T): Result<T, string> {
    return this.#mistakes.length === 0 ? ok(parsed) : err(this.#mistakes.join('; '));
  }

  #take<T>(
    value: unknown,
    fits: (v: unknown) => v is T,
    { at, what }: { at: string; what: string },
  ): T | undefined {
    if (value === undefined || value === null) {
      return undefined;
    }
    if (fits(value)) {
      return value;
    }
    this.#mistakes.push(`${at} is not ${what}`);
    return undefined;
  }
}

export function parsePodRequest(request: AdmissionRequest): Result<PodRequest, string> {
  if (!isRecord(request.object)) {
    return err('request.object is missing: a Pod is expected');
  }
  const read = new Fields();
  const metadata = read.object(request.object['metadata'], 'metadata');
  const spec = read.object(request.object['spec'], 'spec');
  const name = read.text(metadata['name'], 'metadata.name');
  const prefix = read.text(metadata['generateName'], 'metadata.generateName');
  return read.result({
    namespace: request.namespace,
    pod: name === '' ? `${prefix}*` : name,
    claims: parseVolumes(read, spec['volumes']),
    scheduling: parseScheduling(read, spec),
  });
}

function parseVolumes(read: Fields, volumes: unknown): PodClaim[] {
  return read.list(volumes, 'spec.volumes').flatMap((item, i): PodClaim[] => {
    const at = `spec.volumes[${i}]`;
    const volume = read.object(item, at);
    if (isRecord(volume['ephemeral'])) {
      const template = read.object(
        volume['ephemeral']['volumeClaimTemplate'],
        `${at}.ephemeral.volumeClaimTemplate`,
      );
      const claim = read.text(volume['name'], `${at}.name`);
      return [{ kind: 'ephemeral', claim, className: classOf(read, template, at) }];
    }
    const source = read.object(volume['persistentVolumeClaim'], `${at}.persistentVolumeClaim`);
    const claim = read.text(source['claimName'], `${at}.persistentVolumeClaim.claimName`);
    return claim === '' ? [] : [{ kind: 'named', claim }];
  });
}

function classOf(read: Fields, claim: Record<string, unknown>, at: string): string | undefined {
  const metadata = read.object(claim['metadata'], `${at} metadata`);
  const annotations = read.object(metadata['annotations'], `${at} annotations`);
  const spec = read.object(claim['spec'], `${at} spec`);
  return (
    read.optionalText(annotations[classAnnotation], `${at} annotation ${classAnnotation}`) ??
    read.optionalText(spec['storageClassName'], `${at} storageClassName`)
  );
}

function parseScheduling(read: Fields, spec: Record<string, unknown>): PodScheduling {
  const affinity = read.object(spec['affinity'], 'spec.affinity');
  const nodeAffinity = read.object(affinity['nodeAffinity'], 'spec.affinity.nodeAffinity');
  const required = nodeAffinity['requiredDuringSchedulingIgnoredDuringExecution'];
  const whole = isRecord(affinity['nodeAffinity']) ? 'with-node-affinity' : 'without-node-affinity';
  return {
    schedulerName: read.text(spec['schedulerName'], 'spec.schedulerName'),
    nodeName: read.text(spec['nodeName'], 'spec.nodeName'),
    affinity: isRecord(spec['affinity']) ? whole : 'none',
    requiredTerms: isRecord(required) ? parseTerms(read, required['nodeSelectorTerms']) : undefined,
    containers: parseContainers(read, spec['containers'], 'spec.containers'),
    initContainers: parseContainers(read, spec['initContainers'], 'spec.initContainers'),
  };
}

/** Terms are kept as they are: fields that are not known here go back into the pod too. */
function parseTerms(read: Fields, terms: unknown): NodeTerm[] {
  return read.list(terms, 'nodeSelectorTerms').map((item, i) => {
    const at = `nodeSelectorTerms[${i}]`;
    const term = read.object(item, at);
    for (const field of ['matchExpressions', 'matchFields']) {
      checkRequirements(read, term[field], `${at}.${field}`);
    }
    const present = Object.entries(term).filter(([, value]) => value !== null);
    return Object.fromEntries(present);
  });
}

function checkRequirements(read: Fields, requirements: unknown, at: string): void {
  for (const item of read.list(requirements, at)) {
    const one = read.object(item, `${at}[]`) as Partial<Record<keyof Requirement, unknown>>;
    read.text(one.key, `${at}[].key`);
    read.text(one.operator, `${at}[].operator`);
    read.list(one.values, `${at}[].values`);
  }
}

function parseContainers(read: Fields, containers: unknown, at: string): ContainerResources[] {
  return read.list(containers, at).map((item, i) => {
    const { resources } = read.object(item, `${at}[${i}]`);
    const { requests, limits } = read.object(resources, `${at}[${i}].resources`);
    return {
      hasResources: isRecord(resources),
      requests: isRecord(requests) ? Object.keys(requests) : undefined,
      limits: isRecord(limits) ? Object.keys(limits) : undefined,
    };
  });
}

export function parseClass({ object }: AdmissionRequest): Result<ClassFacts, string> {
  if (!isRecord(object)) {
    return err('request.object is missing: a StorageClass is expected');
  }
  const read = new Fields();
  const parameters = read.object(object['parameters'], 'parameters');
  return read.result({
    name: nameOf(read, object),
    provisioner: read.text(object['provisioner'], 'provisioner'),
    volumeBindingMode: read.text(object['volumeBindingMode'], 'volumeBindingMode'),
    parameters: Object.fromEntries(
      Object.entries(parameters).map(([key, value]) => [
        key,
        read.text(value, `parameters.${key}`),
      ]),
    ),
  });
}

export function parseClaim({ object }: AdmissionRequest): Result<NewClaim, string> {
  if (!isRecord(object)) {
    return err('request.object is missing: a PersistentVolumeClaim is expected');
  }
  const read = new Fields();
  const spec = read.object(object['spec'], 'spec');
  const resources = read.object(spec['resources'], 'spec.resources');
  const requests = read.object(resources['requests'], 'spec.resources.requests');
  const given = (field: string): boolean => isRecord(spec[field]);
  const metadata = read.object(object['metadata'], 'metadata');
  const annotations = read.object(metadata['annotations'], 'metadata.annotations');
  return read.result({
    name: nameOf(read, object),
    className: classOf(read, object, ''),
    accessModes: read
      .list(spec['accessModes'], 'spec.accessModes')
      .map((mode) => read.text(mode, 'spec.accessModes[]')),
    request: read.quantity(requests['storage'], 'spec.resources.requests.storage'),
    volumeMode:
      read.text(spec['volumeMode'], 'spec.volumeMode') === 'Block' ? 'Block' : 'Filesystem',
    hasVolume:
      read.text(spec['volumeName'], 'spec.volumeName') !== '' || adoptsAnnotation in annotations,
    hasSelector: given('selector'),
    hasDataSource: given('dataSource') || given('dataSourceRef'),
  });
}

export function parsePool(object: unknown): Result<PoolFacts, string> {
  if (!isRecord(object)) {
    return err('request.object is missing: a StoragePool is expected');
  }
  const read = new Fields();
  return read.result({ name: nameOf(read, object), spec: object['spec'] });
}

function nameOf(read: Fields, object: Record<string, unknown>): string {
  return read.text(read.object(object['metadata'], 'metadata')['name'], 'metadata.name');
}
