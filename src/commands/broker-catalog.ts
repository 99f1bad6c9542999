import type { Catalog } from '../broker/plan.ts';
import { catalogOfClasses } from '../config/broker-class-catalog.ts';
import { parseCatalog } from '../config/broker-catalog.ts';
import type { brokerSettings } from '../config/broker-settings.ts';
import type { SettingValues } from '../config/settings.ts';
import { parseCredentials, type Credentials } from '../http/broker-auth.ts';
import type { BrokerMetrics } from '../http/broker-metrics.ts';
import type { KubeClient } from '../kube/client.ts';
import type { StorageClass } from '../kube/objects.ts';
import { resourcePath } from '../kube/paths.ts';
import { createReflector } from '../kube/reflector.ts';
import type { Result } from '../model/result.ts';
import { followFile } from '../platform/follow-file.ts';
import type { Log } from '../usecases/ports.ts';

type Settings = SettingValues<typeof brokerSettings>;

/** Something that comes from outside and may be replaced while the broker runs. */
export interface Followed<T> {
  /** Missing until it was read once. */
  readonly current: () => T | undefined;
  /** Resolves, and never rejects, once `signal` has fired. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

export interface FollowParts {
  readonly log: Log;
  readonly metrics: BrokerMetrics;
}

/** Who may call. A file that is wrong leaves those of before. */
export function followCredentials(path: string, parts: FollowParts): Followed<Credentials> {
  return followText({ what: 'credentials', path, parse: parseCredentials }, parts);
}

/** The catalog: of the file where there is one, else of the StorageClasses. */
export function followCatalog(
  settings: Settings,
  client: KubeClient,
  parts: FollowParts,
): Followed<Catalog> {
  const path = settings.catalogFile;
  return path === ''
    ? followClasses(settings, client, parts)
    : followText({ what: 'catalog', path, parse: parseCatalog, onTaken: count(parts) }, parts);
}

interface FollowedText<T> {
  readonly what: string;
  readonly path: string;
  readonly parse: (text: string) => Result<T, string | readonly string[]>;
  readonly onTaken?: (value: T) => void;
}

function followText<T>(
  { what, path, parse, onTaken }: FollowedText<T>,
  { log, metrics }: FollowParts,
): Followed<T> {
  let current: T | undefined;
  const onText = (text: string): void => {
    const read = parse(text);
    metrics.reloaded(what, read.ok ? 'taken' : 'refused');
    if (!read.ok) {
      const mistakes = read.error;
      log.error('a file is wrong: what was read before stays', { what, path, mistakes });
      return;
    }
    current = read.value;
    onTaken?.(read.value);
    log.info('file read', { what, path });
  };
  return {
    current: () => current,
    run: (signal) => followFile({ path, onText }, log, signal),
  };
}

function followClasses(
  { serviceName, leastSize, mostSize }: Settings,
  client: KubeClient,
  parts: FollowParts,
): Followed<Catalog> {
  const { log } = parts;
  const classes = createReflector<StorageClass>({
    ...{ ...client, log, path: resourcePath('storageclasses') },
    trim: ({ metadata, provisioner, parameters }) => ({
      ...(metadata && { metadata }),
      provisioner,
      ...(parameters && { parameters }),
    }),
  });
  let catalog: Catalog | undefined;
  classes.onChange(() => {
    catalog = undefined;
  });
  const made = (): Catalog => {
    const offered = [...classes.list()].map(({ metadata, provisioner, parameters }) => ({
      name: metadata?.name ?? '',
      provisioner,
      parameters: parameters ?? {},
    }));
    const fresh = catalogOfClasses(offered, { serviceName, leastSize, mostSize });
    count(parts)(fresh);
    return fresh;
  };
  return {
    current: () => {
      catalog ??= classes.synced ? made() : undefined;
      return catalog;
    },
    run: (signal) => classes.run(signal),
  };
}

function count({ metrics }: FollowParts): (catalog: Catalog) => void {
  return ({ services }) => metrics.offered(services.flatMap(({ plans }) => plans).length);
}
