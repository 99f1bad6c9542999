import { isBytes, type Bytes } from './bytes.ts';
import { err, ok, type Result } from './result.ts';

const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const grammar = /^\+?(\d+(?:\.\d*)?|\.\d+)(?:[eE]([+-]?\d{1,2})|([numkMGTPE]|[KMGTPE]i))?$/;

/**
 * Reads a Kubernetes quantity (`10Gi`, `1.5G`, `128974848`, `12e6`, `1500m`) as bytes.
 *
 * Parts of a byte are rounded up, as the API server's own `Quantity.Value()` does.
 * The grammar is that of apimachinery's `resource.Quantity`.
 *
 * @returns the size, or a text that says what is wrong and what is allowed
 */
export function parseQuantity(text: string): Result<Bytes, string> {
  const match = grammar.exec(text.trim());
  if (!match) {
    return err(`"${text}" is not a size: allowed are numbers like 10Gi, 500M or 1073741824`);
  }
  const [, digits = '', exponent, suffix = ''] = match;
  const factor = exponent === undefined ? (factors[suffix] ?? 1) : 10 ** Number(exponent);
  const product = Number(digits) * factor;
  // Floating point may leave a product a hair above a whole byte; that hair is not a byte.
  const whole = Math.abs(product - Math.round(product)) < 1e-6;
  const value = whole ? Math.round(product) : Math.ceil(product);
  if (!isBytes(value)) {
    return err(`"${text}" is too large: sizes must stay below 8Pi`);
  }
  return ok(value);
}
