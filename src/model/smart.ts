/** What a disk says of itself, as far as it could be read. */
export interface SmartFacts {
  /** Its own verdict. */
  readonly passed?: boolean | undefined;
  readonly nvme?: NvmeFacts | undefined;
  /** What an ATA disk counts, by the names that smartctl gives. */
  readonly attributes?: readonly SmartAttribute[] | undefined;
}

export interface NvmeFacts {
  /** The bits of the NVMe specification. */
  readonly criticalWarning?: number | undefined;
  readonly mediaErrors?: number | undefined;
  /** Of what it can be written in its life; beyond 100 too. */
  readonly percentageUsed?: number | undefined;
  readonly availableSpare?: number | undefined;
  readonly spareThreshold?: number | undefined;
}

export interface SmartAttribute {
  readonly id: number;
  readonly name: string;
  /** Missing where it is no number. */
  readonly count?: number | undefined;
  /** The maker calls it a sign of an early end, and it is at its limit now. */
  readonly isFailing: boolean;
}

export interface SmartVerdict {
  readonly failed: string | undefined;
  readonly warning: string | undefined;
}

/** Those bits of the critical warning that are about the data. */
const criticalBits = [
  [0x01, 'its spare blocks are nearly used up'],
  [0x04, 'it can no longer be relied on'],
  [0x08, 'it has become read-only'],
  [0x10, 'what it holds in its cache would be lost without power'],
] as const;
const temperatureBit = 0x02;

/** Sectors that were lost, or are about to be; each disk that has one is likelier to fail. */
const badSectors: ReadonlySet<number> = new Set([5, 187, 196, 197, 198]);

/** Puts what a disk says into words. Only its own verdict makes it failing. */
export function judgeSmart({ passed, nvme, attributes = [] }: SmartFacts): SmartVerdict {
  return {
    failed: nvme?.criticalWarning === undefined ? saysFailed(passed) : critical(nvme),
    warning: listed([...warningsOf(nvme ?? {}), ...attributes.flatMap(warningOf)]),
  };
}

function saysFailed(passed: boolean | undefined): string | undefined {
  return passed === false ? 'its own check says that it fails' : undefined;
}

/** A disk that is too hot calls itself failing too, and is as before when it has cooled down. */
function critical(nvme: NvmeFacts): string | undefined {
  const { criticalWarning = 0, availableSpare, spareThreshold } = nvme;
  const bits = criticalBits.filter(([bit]) => (criticalWarning & bit) !== 0);
  const isSpent =
    availableSpare !== undefined && spareThreshold !== undefined && availableSpare < spareThreshold;
  const spare = isSpent ? [`${availableSpare}% spare, at least ${spareThreshold}% are needed`] : [];
  return listed([...bits.map(([, text]) => text), ...spare]);
}

function warningsOf({ criticalWarning = 0, mediaErrors = 0, percentageUsed = 0 }: NvmeFacts) {
  return [
    ...((criticalWarning & temperatureBit) === 0 ? [] : ['it is too hot or too cold']),
    ...(mediaErrors > 0 ? [`it could not give back data ${mediaErrors} time(s)`] : []),
    ...(percentageUsed >= 100 ? [`${percentageUsed}% of its life is used`] : []),
  ];
}

/** The meaning of an attribute is the maker's, so its name must speak of such sectors as well. */
function warningOf({ id, name, count = 0, isFailing }: SmartAttribute): readonly string[] {
  const isBad = badSectors.has(id) && /realloc|pending|uncorrect/i.test(name) && count > 0;
  return [
    ...(isBad ? [`${name} is ${count}`] : []),
    ...(isFailing ? [`${name} is at its limit`] : []),
  ];
}

function listed(texts: readonly string[]): string | undefined {
  return texts.length === 0 ? undefined : texts.join(', ');
}
