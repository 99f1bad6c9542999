import type { NvmeFacts, SmartAttribute, SmartFacts } from '../../model/smart.ts';

/** What one run of smartctl has told. */
export type SmartReport =
  | { readonly kind: 'read'; readonly facts: SmartFacts }
  /** Nobody can ask this device, or it has nothing to say. */
  | { readonly kind: 'none' }
  /** smartctl could not open it: no access, a controller that hides it, or it is gone. */
  | { readonly kind: 'closed'; readonly why: string }
  | { readonly kind: 'asleep' }
  | { readonly kind: 'unreadable'; readonly why: string };

/**
 * The bits of the exit status, as smartctl(8) has them. The others say what stands in the report
 * as well; 4 (some command failed) leaves what could be read.
 */
const notUnderstood = 1;
const notOpened = 2;
/** What smartctl is told to end with when the disk sleeps: no other failure has both bits. */
export const sleepStatus = 3;

/** @param text - what `smartctl --json --info --health --attributes` has printed */
export function parseSmartReport(text: string, exitStatus: number): SmartReport {
  if (exitStatus === sleepStatus) {
    return { kind: 'asleep' };
  }
  const report = parseObject(text);
  if (report === undefined) {
    return { kind: 'unreadable', why: 'smartctl has printed no JSON, as versions from 7.0 on do' };
  }
  if ((exitStatus & notUnderstood) !== 0 || hasNone(report)) {
    return { kind: 'none' };
  }
  if ((exitStatus & notOpened) !== 0) {
    return { kind: 'closed', why: messagesOf(report) ?? 'smartctl could not open it' };
  }
  const facts = factsOf(report);
  return facts === undefined
    ? { kind: 'unreadable', why: messagesOf(report) ?? 'it has given no answer' }
    : { kind: 'read', facts };
}

function hasNone(report: Json): boolean {
  const support = objectIn(report, 'smart_support');
  return support?.['available'] === false || support?.['enabled'] === false;
}

function factsOf(report: Json): SmartFacts | undefined {
  const passed = objectIn(report, 'smart_status')?.['passed'];
  const log = objectIn(report, 'nvme_smart_health_information_log');
  const table = objectIn(report, 'ata_smart_attributes')?.['table'];
  const attributes = Array.isArray(table) ? table.flatMap(toAttribute) : undefined;
  if (typeof passed !== 'boolean' && log === undefined && attributes === undefined) {
    return undefined;
  }
  return {
    ...(typeof passed === 'boolean' && { passed }),
    ...(log && { nvme: toNvme(log) }),
    ...(attributes && { attributes }),
  };
}

function toNvme(log: Json): NvmeFacts {
  return {
    criticalWarning: numberIn(log, 'critical_warning'),
    mediaErrors: numberIn(log, 'media_errors'),
    percentageUsed: numberIn(log, 'percentage_used'),
    availableSpare: numberIn(log, 'available_spare'),
    spareThreshold: numberIn(log, 'available_spare_threshold'),
  };
}

function toAttribute(row: unknown): readonly SmartAttribute[] {
  const fields = isObject(row) ? row : {};
  const [id, name] = [numberIn(fields, 'id'), fields['name']];
  if (id === undefined || typeof name !== 'string') {
    return [];
  }
  const flags = objectIn(fields, 'flags');
  const isFailing = flags?.['prefailure'] === true && fields['when_failed'] === 'now';
  return [{ id, name, count: countOf(fields), isFailing }];
}

/** As smartctl reads it for this model, as in `8 (0 3)`: the bare value may hold several numbers. */
function countOf(fields: Json): number | undefined {
  const text = objectIn(fields, 'raw')?.['string'];
  const digits = typeof text === 'string' ? /^\d+(?= |$)/.exec(text)?.[0] : undefined;
  return digits === undefined ? undefined : Number(digits);
}

function messagesOf(report: Json): string | undefined {
  const messages = objectIn(report, 'smartctl')?.['messages'];
  const texts = Array.isArray(messages)
    ? messages.flatMap((each) => (isObject(each) ? [each['string']] : []))
    : [];
  return texts.length === 0 ? undefined : texts.join('; ').slice(0, 300);
}

type Json = Readonly<Record<string, unknown>>;

function parseObject(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objectIn(object: Json, field: string): Json | undefined {
  const value = object[field];
  return isObject(value) ? value : undefined;
}

function numberIn(object: Json, field: string): number | undefined {
  const value = object[field];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
