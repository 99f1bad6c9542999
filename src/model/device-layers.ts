import { worstOf, type Health } from './health.ts';

/** One device, and what it is made of. */
export interface Layer {
  /** Its name in the kernel. */
  readonly name: string;
  /** The names of the devices that it lies on. */
  readonly below: readonly string[];
  /**
   * Where each of these groups holds all of the data: together they are `below`. Missing where all
   * of `below` is needed.
   */
  readonly copies?: readonly (readonly string[])[] | undefined;
}

/**
 * How well something is that lies on devices: as the worst of all below it. Where one copy of it
 * is failing and another is not, its data is there: it is suspect only.
 *
 * @param tops - the devices it lies on first
 * @param healthsAt - what is wrong with one device by itself
 */
export function healthOnTop(
  tops: readonly string[],
  layers: ReadonlyMap<string, Layer>,
  healthsAt: (name: string) => readonly Health[],
): Health | undefined {
  const under = (names: readonly string[]): readonly Health[] => names.flatMap(at);

  function at(name: string): readonly Health[] {
    const { below = [], copies } = layers.get(name) ?? {};
    return [...healthsAt(name), ...(copies ? inCopies(name, copies) : under(below))];
  }

  function inCopies(name: string, copies: readonly (readonly string[])[]): readonly Health[] {
    const each = copies.map(under);
    const isLost = each.every((healths) => worstOf(healths)?.state === 'failing');
    return isLost ? each.flat() : each.flat().map((health) => withAnotherCopy(name, health));
  }

  return worstOf(under(tops));
}

function withAnotherCopy(name: string, health: Health): Health {
  const { state, message } = health;
  return state === 'failing'
    ? {
        ...health,
        state: 'suspect',
        message: `a copy in ${name}, and not the only one: ${message}`,
      }
    : health;
}
