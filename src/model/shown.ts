const longest = 60;

/** A value from outside as it is shown in a text for people: as JSON, cut where it is long. */
export function shown(value: unknown): string {
  const text = value === undefined ? 'missing' : toJson(value);
  return text.length > longest ? `${text.slice(0, longest)}...` : text;
}

/** JSON.parse reads any depth; JSON.stringify recurses and fails at some thousands of levels. */
function toJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return 'a value nested too deeply';
  }
}
