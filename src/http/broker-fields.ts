import { isJsonObject } from '../broker/same.ts';
import type { Json } from '../broker/plan.ts';
import { shown } from '../model/shown.ts';

/** Reads fields one by one and gathers what is wrong with them. */
export interface Fields {
  /** A text that must be there and not be empty. */
  text(name: string): string;
  optionalText(name: string): string | undefined;
  object(name: string): Readonly<Record<string, Json>> | undefined;
  /** The field's own fields; none where it is missing. */
  within(name: string): Fields;
  flag(name: string): boolean;
  /** Says that a field must not be what it is. */
  refuse(name: string, why: string): void;
  readonly mistakes: string[];
}

/** No id or name that a platform makes up is longer; what is longer fills logs and records. */
const longest = 1024;
const control = /\p{Cc}/u;

/** @param at - what stands before the names in texts, such as `maintenance_info.` */
export function fieldsOf(source: unknown, at = '', mistakes: string[] = []): Fields {
  const given = isJsonObject(source) ? source : {};
  // Objects from JSON have no other names than those that were sent.
  const valueOf = (name: string): Json | undefined =>
    Object.hasOwn(given, name) ? given[name] : undefined;
  const complain = (name: string, allowed: string): void => {
    mistakes.push(`${at}${name} is ${shown(valueOf(name))}: ${allowed}`);
  };

  const fields: Fields = {
    mistakes,
    refuse: complain,
    text: (name) => {
      if (valueOf(name) === undefined) {
        complain(name, 'a text is required');
      }
      return fields.optionalText(name) ?? '';
    },
    optionalText: (name) => {
      const value = valueOf(name);
      if (value === undefined || (typeof value === 'string' && isFine(value))) {
        return value;
      }
      complain(name, `a text of 1 to ${longest} characters, none of control, is allowed`);
      return undefined;
    },
    object: (name) => {
      const value = valueOf(name);
      if (value === undefined || isJsonObject(value)) {
        return value;
      }
      complain(name, 'an object is allowed');
      return undefined;
    },
    within: (name) => fieldsOf(fields.object(name), `${at}${name}.`, mistakes),
    flag: (name) => {
      const value = valueOf(name);
      if (value !== undefined && value !== 'true' && value !== 'false') {
        complain(name, 'true or false is allowed');
      }
      return value === 'true';
    },
  };
  return fields;
}

function isFine(text: string): boolean {
  return text !== '' && text.length <= longest && !control.test(text);
}
