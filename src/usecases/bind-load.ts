/** How many binds are under way, so that filter can let them catch up. */
export class BindLoad {
  #running = 0;
  readonly #ended: () => void;

  /** @param ended - hears of the end of each bind */
  constructor(ended: () => void = () => {}) {
    this.#ended = ended;
  }

  get running(): number {
    return this.#running;
  }

  begin(): void {
    this.#running += 1;
  }

  end(): void {
    this.#running -= 1;
    this.#ended();
  }
}
