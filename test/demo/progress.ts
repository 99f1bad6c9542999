const startedAt = performance.now();

/** One line of progress, with the seconds since the start. */
export function say(text: string): void {
  console.log(`[${String(secondsPassed()).padStart(3)}s] ${text}`);
}

function secondsPassed(): number {
  return Math.round((performance.now() - startedAt) / 1000);
}

export function heading(text: string): void {
  console.log(`\n${text}\n`);
}

export function indented(text: string): void {
  console.log(text.trimEnd().replace(/^(?=.)/gm, '    '));
}

/** Columns as wide as their widest cell. The first row is the head. */
export function table(rows: readonly (readonly string[])[]): void {
  const [head = []] = rows;
  const widths = head.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  indented(lines.join('\n'));
}
