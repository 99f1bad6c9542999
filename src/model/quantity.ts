import { bytes, type Bytes } from './bytes.ts';
import { err, ok, type Result } from './result.ts';
import { shown } from './shown.ts';

const decimalPowers: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const binaryPowers: Readonly<Record<string, bigint>> = {
  Ki: 10n,
  Mi: 20n,
  Gi: 30n,
  Ti: 40n,
  Pi: 50n,
  Ei: 60n,
};

const grammar = /^\+?(?=\.?\d)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i))?$/;
/** Longer ones are no sizes that anybody means, and cost time to compute. */
const maxLength = 100;
/** Beyond these, `maxLength` digits are surely too large, or surely below one byte. */
const maxPower = 40;
const minPower = -300;

/**
 * Reads a Kubernetes quantity (`10Gi`, `1.5G`, `128974848`, `12e6`, `1500m`) as bytes, exactly.
 *
 * Parts of a byte are rounded up, as the API server's own `Quantity.Value()` does.
 * The grammar is that of apimachinery's `resource.Quantity`: no blanks anywhere.
 *
 * @returns the size, or a text that says what is wrong and what is allowed
 */
export function parseQuantity(text: string): Result<Bytes, string> {
  const match = text.length > maxLength ? null : grammar.exec(text);
  if (!match) {
    return err(`${shown(text)} is not a size: allowed are numbers like 10Gi, 500M or 1073741824`);
  }
  const [, whole = '', fraction = '', exponent, suffix = ''] = match;
  const digits = BigInt(whole + fraction) << (binaryPowers[suffix] ?? 0n);
  const power = Number(exponent ?? decimalPowers[suffix] ?? 0) - fraction.length;
  const value = timesTenTo(digits, Math.max(minPower, Math.min(maxPower, power)));
  return value > Number.MAX_SAFE_INTEGER
    ? err(`${shown(text)} is too large: sizes must stay below 8Pi`)
    : ok(bytes(Number(value)));
}

/** `digits * 10^power`, rounded up. */
function timesTenTo(digits: bigint, power: number): bigint {
  if (power >= 0) {
    return digits * 10n ** BigInt(power);
  }
  const divisor = 10n ** BigInt(-power);
  return (digits + divisor - 1n) / divisor;
}

const largestFirst = Object.entries(binaryPowers).reverse();

/** The shortest exact quantity of a size: 64Mi, not 67108864. */
export function formatQuantity(size: Bytes): string {
  for (const [suffix, power] of largestFirst) {
    const unit = 2 ** Number(power);
    if (size > 0 && size % unit === 0) {
      return `${size / unit}${suffix}`;
    }
  }
  return String(size);
}
