import { parseDuration } from '../model/duration.ts';
import type { Bytes } from '../model/bytes.ts';
import { parseQuantity } from '../model/quantity.ts';
import { shown } from '../model/shown.ts';

type Values = Readonly<Record<string, unknown>>;

/**
 * Reads one object of a configuration file, entry by entry. What is wrong is gathered, with the
 * path in the file, the value and what is allowed; the value that is returned then means nothing.
 */
export class Entries {
  readonly #values: Values;
  readonly #at: string;
  readonly #mistakes: string[];
  readonly #known = new Set<string>();

  /** @param at - the path in the file, empty for all of it */
  constructor(values: unknown, at: string, mistakes: string[]) {
    this.#at = at;
    this.#mistakes = mistakes;
    if (isValues(values)) {
      this.#values = values;
    } else {
      this.#values = {};
      mistakes.push(`${at || 'the file'} is ${shown(values)}: an object is required`);
      // Its entries would only be called missing, one by one.
      this.#mistakes = [];
    }
  }

  has(name: string): boolean {
    return this.any(name) !== undefined;
  }

  any(name: string): unknown {
    this.#known.add(name);
    return Object.hasOwn(this.#values, name) ? (this.#values[name] ?? undefined) : undefined;
  }

  complain(name: string, allowed: string): void {
    this.#mistakes.push(`${this.pathOf(name)} is ${shown(this.any(name))}: ${allowed}`);
  }

  pathOf(name: string): string {
    return this.#at === '' ? name : `${this.#at}.${name}`;
  }

  /** @param allowed - the words for `fits`; a text that is missing gets `fallback` */
  text(name: string, fits: RegExp, allowed: string, fallback?: string): string {
    const value = this.any(name) ?? fallback;
    if (typeof value !== 'string' || !fits.test(value)) {
      this.complain(name, allowed);
      return '';
    }
    return value;
  }

  choice<T extends string>(name: string, of: readonly T[], fallback: T): T {
    const value = this.any(name) ?? fallback;
    if (!(of as readonly unknown[]).includes(value)) {
      this.complain(name, `allowed are ${of.join(', ')}`);
    }
    return value as T;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.any(name) ?? fallback;
    if (typeof value !== 'boolean') {
      this.complain(name, 'true or false is allowed');
    }
    return value === true;
  }

  wholeNumber(name: string, least: number, most: number): number {
    const value = this.any(name);
    if (!Number.isSafeInteger(value) || Number(value) < least || Number(value) > most) {
      this.complain(name, `a whole number from ${least} to ${most} is allowed`);
    }
    return Number(value);
  }

  size(name: string): Bytes {
    const value = this.any(name);
    const text = typeof value === 'number' ? String(value) : value;
    const read = typeof text === 'string' ? parseQuantity(text) : undefined;
    if (!read?.ok || read.value === 0) {
      this.complain(name, 'a size above 0 such as 10Gi is required');
      return 0 as Bytes;
    }
    return read.value;
  }

  /** @returns milliseconds */
  duration(name: string, fallback: string): number {
    const value = this.any(name) ?? fallback;
    const ms = typeof value === 'string' ? parseDuration(value) : undefined;
    if (ms === undefined) {
      this.complain(name, 'a duration such as 90s, 10m or 7d is allowed');
    }
    return ms ?? 0;
  }

  /** An object or list that is passed on as it is. */
  object(name: string): Values | undefined {
    const value = this.any(name);
    if (value !== undefined && !isValues(value)) {
      this.complain(name, 'an object is allowed');
      return undefined;
    }
    return value;
  }

  list(name: string): readonly unknown[] | undefined {
    const value = this.any(name);
    if (value !== undefined && !Array.isArray(value)) {
      this.complain(name, 'a list is allowed');
      return undefined;
    }
    return value as readonly unknown[] | undefined;
  }

  texts(name: string): readonly string[] | undefined {
    const all = this.list(name);
    if (all?.some((one) => typeof one !== 'string' || one === '')) {
      this.complain(name, 'a list of texts is allowed');
      return undefined;
    }
    return all as readonly string[] | undefined;
  }

  within(name: string): Entries {
    return new Entries(this.any(name), this.pathOf(name), this.#mistakes);
  }

  /** The objects of a list. */
  each(name: string): readonly Entries[] {
    return (this.list(name) ?? []).map(
      (one, at) => new Entries(one, `${this.pathOf(name)}[${at}]`, this.#mistakes),
    );
  }

  /** Complains about every entry that nobody has asked for. */
  nothingElse(): void {
    for (const name of Object.keys(this.#values)) {
      if (!this.#known.has(name)) {
        const allowed = [...this.#known].join(', ');
        this.#mistakes.push(`${this.pathOf(name)} is not known: allowed are ${allowed}`);
      }
    }
  }
}

function isValues(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
