import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

import { runChaos } from './run.ts';

/** `--seed n --duration seconds [--kills n]`; ends with 1 where anything was wrong. */
const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    duration: { type: 'string', default: '120' },
    kills: { type: 'string' },
  },
});

function number(name: string, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new RangeError(`--${name} is "${text}": a whole number is allowed`);
  }
  return value;
}

const seed = values.seed ? number('seed', values.seed) : randomInt(1, 1_000_000);
console.log(`seed: ${seed} (the same seed gives the same plan; the times differ)`);
const result = await runChaos({
  seed,
  durationMs: number('duration', values.duration) * 1000,
  kills: values.kills ? number('kills', values.kills) : undefined,
  say: (line) => console.log(line),
});

const count = (kind: string): number =>
  result.findings.filter((finding) => finding.kind === kind).length;
const [violations, leaked, stuck] = [count('violation'), count('leaked'), count('stuck')];
console.log(`\nrounds: ${result.rounds}, pauses: ${result.pauses}, seed: ${seed}`);
console.log(
  `fault points hit: ${result.hit.length} of ${result.hit.length + result.missed.length}`,
);
if (result.missed.length > 0) console.log(`not hit: ${result.missed.join(', ')}`);
if (result.evidence !== undefined) console.log(`logs and objects: ${result.evidence}`);
console.log(
  `violations: ${violations}, leaked: ${leaked}, stuck: ${stuck}, kills: ${result.kills}`,
);
process.exitCode = violations + leaked + stuck > 0 ? 1 : 0;
