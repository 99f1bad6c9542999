const longest = 60;

/** A value from outside as it is shown in a text for people: as JSON, cut where it is long. */
export function shown(value: unknown): string {
  return cut(value === undefined ? 'missing' : toJson(value), longest);
}

/** A text of at most `length` characters, and three dots where it had more. */
export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}...` : text;
}

/** JSON.parse reads any depth; JSON.stringify recurses and fails at some thousands of levels. */
function toJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return 'a value nested too deeply';
  }
}
