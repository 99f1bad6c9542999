import { writeFileSync } from 'node:fs';

export type Unit = 'ms' | 'MiB' | 'count' | 'ratio';

/** One measured number, as it stands in results.json. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: Unit;
  /** How many measurements it was made from. */
  readonly samples: number;
  /** `value` divided by the baseline, which was measured in the same run. */
  readonly ratio?: number;
  /** The name of the baseline. */
  readonly ratio_to?: string;
}

/** Percentiles that are reported, by the end of a figure's name. */
const percentiles = { p50: 0.5, p99: 0.99 } as const;

/** What a run has measured so far. */
export class Figures {
  readonly #figures: Figure[] = [];

  get all(): readonly Figure[] {
    return this.#figures;
  }

  add(name: string, value: number, unit: Unit, samples = 1): void {
    this.#figures.push({ name, value: rounded(value), unit, samples });
  }

  /** Adds `<name>.p50` and `<name>.p99` of some times, next to the same of a baseline. */
  addTimes(name: string, times: readonly number[], baseline?: Baseline): void {
    for (const [end, share] of Object.entries(percentiles)) {
      const value = percentile(times, share);
      const samples = times.length;
      const figure = {
        name: `${name}.${end}`,
        value: rounded(value),
        unit: 'ms',
        samples,
      } as const;
      this.#figures.push(
        baseline === undefined
          ? figure
          : {
              ...figure,
              ratio: rounded(value / percentile(baseline.times, share)),
              ratio_to: `${baseline.name}.${end}`,
            },
      );
    }
  }

  /** Adds the times of a baseline, and those of `name` beside them. */
  addPair(name: string, times: readonly number[], baseline: Baseline): void {
    this.addTimes(baseline.name, baseline.times);
    this.addTimes(name, times, baseline);
  }

  /** Adds what was measured elsewhere. */
  take(figures: readonly Figure[]): void {
    this.#figures.push(...figures);
  }

  write(file: string): void {
    writeFileSync(file, `${JSON.stringify(this.#figures, undefined, 2)}\n`);
  }

  /** Everything measured, one line each, for people. */
  table(): string {
    const rows = this.#figures.map(({ name, value, unit, samples, ratio, ratio_to }) => [
      name,
      String(value),
      unit,
      String(samples),
      ratio === undefined ? '' : `${ratio} x ${ratio_to ?? ''}`,
    ]);
    const all = [['name', 'value', 'unit', 'samples', 'ratio'], ...rows];
    const widths = [0, 1, 2, 3].map((column) =>
      Math.max(...all.map((row) => row[column]?.length ?? 0)),
    );
    return all.map((row) => line(row, widths)).join('\n');
  }
}

export interface Baseline {
  readonly name: string;
  readonly times: readonly number[];
}

/** Names and remarks stand at the left of their column, numbers at the right. */
function line(
  [name = '', value = '', unit = '', samples = '', ratio = '']: readonly string[],
  widths: readonly number[],
): string {
  const [nameWidth = 0, valueWidth = 0, unitWidth = 0, samplesWidth = 0] = widths;
  return [
    name.padEnd(nameWidth),
    value.padStart(valueWidth),
    unit.padEnd(unitWidth),
    samples.padStart(samplesWidth),
    ratio,
  ]
    .join('  ')
    .trimEnd();
}

/** The smallest sample that at least `share` of all samples do not exceed (nearest rank). */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** Three decimals below ten, one above: more is noise. */
function rounded(value: number): number {
  const digits = Math.abs(value) < 10 ? 3 : 1;
  return Number(value.toFixed(digits));
}
