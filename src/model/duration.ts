const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** @returns milliseconds, or nothing where `text` is not a whole number with a unit, as in `40s` */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  return match ? Number(match[1]) * (units[match[2] ?? ''] ?? NaN) : undefined;
}

/** The shortest exact text of a time: 90s, not 90000ms. */
export function formatDuration(ms: number): string {
  const fitting = Object.entries(units).filter(([, unit]) => ms > 0 && ms % unit === 0);
  const [name, unit] = fitting.at(-1) ?? ['ms', 1];
  return `${ms / unit}${name}`;
}
