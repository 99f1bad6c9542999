import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { LRUCache } from 'lru-cache';
import { err, ok, type Result } from '../model/result.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Compiling one takes longer than all else of a request; a catalog has few different ones. */
const compiled = new LRUCache<string, ValidateFunction>({ max: 1_000 });

/**
 * Whether `value` fits `schema`, whose words have to be those that mean the same in draft 4 and
 * draft 7.
 *
 * @returns every mistake in one text: where, and what is allowed
 */
export function checkJson(schema: Schema, value: unknown): Result<undefined, string> {
  // The validator knows newer drafts by name only.
  const words = Object.fromEntries(Object.entries(schema).filter(([name]) => name !== '$schema'));
  const key = JSON.stringify(words);
  const validate = compiled.get(key) ?? new Ajv({ allErrors: true, strict: true }).compile(words);
  compiled.set(key, validate);
  return validate(value) ? ok(undefined) : err(describe(validate.errors ?? []));
}

function describe(errors: readonly ErrorObject[]): string {
  return errors
    .map(({ instancePath, message = 'is wrong', params }) => {
      const where = `parameters${instancePath.replaceAll('/', '.')}`;
      const { additionalProperty: name } = params as { additionalProperty?: string };
      return name === undefined ? `${where} ${message}` : `${where}.${name} is not known`;
    })
    .join('; ');
}
