import type { World } from './world.ts';

/** One thing that an actor of the cluster could do now. */
export interface Step {
  readonly text: string;
  readonly act: () => void;
}

/**
 * A part of Kubernetes that is not ours, as one that now and then does one of the things that are
 * due: each is done whole, and in any order.
 */
export class Actor {
  readonly #world: World;
  readonly #name: string;
  readonly #due: () => readonly Step[];
  #isAwake = false;

  constructor(world: World, name: string, due: () => readonly Step[]) {
    this.#world = world;
    this.#name = name;
    this.#due = due;
  }

  /** Something has changed: looks again in a moment. */
  wake(): void {
    if (this.#isAwake) {
      return;
    }
    this.#isAwake = true;
    this.#world.soon(undefined, () => {
      this.#isAwake = false;
      const step = this.#world.random.pick(this.#due());
      if (step) {
        this.#world.say(this.#name, step.text);
        step.act();
        this.wake();
      }
    });
  }
}
