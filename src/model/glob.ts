const special = /[\\^$.|+(){}]/g;

/**
 * A file name pattern of the shell: `*` for anything, `?` for one character, `[a-c]` for one of
 * these and `[!a-c]` for one of the others. There is no way to quote one of them.
 *
 * @returns whether a whole name matches, or nothing where the pattern cannot be read
 */
export function parseGlob(pattern: string): ((name: string) => boolean) | undefined {
  const source = pattern
    .replace(special, String.raw`\$&`)
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.')
    .replace(/\[!/g, '[^');
  try {
    const expression = new RegExp(`^${source}$`, 'su');
    return (name) => expression.test(name);
  } catch {
    return undefined;
  }
}
