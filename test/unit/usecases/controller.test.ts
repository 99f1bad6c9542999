import { expect } from 'chai';
import { NoSpaceError } from '../../../src/model/errors.ts';
import { Controller, type ControllerOptions } from '../../../src/usecases/controller.ts';

/** Time that stands still until a test lets it pass. */
class FakeTime {
  readonly pauses: number[] = [];
  #wakes: (() => void)[] = [];

  readonly sleep = (ms: number, signal: AbortSignal): Promise<void> => {
    this.pauses.push(ms);
    return new Promise((resolve) => {
      this.#wakes.push(resolve);
      signal.addEventListener('abort', () => resolve());
    });
  };

  async pass(): Promise<void> {
    const wakes = this.#wakes;
    this.#wakes = [];
    wakes.forEach((wake) => wake());
    await settle();
  }
}

/** A promise that a test resolves when it wants. */
function gateway(): { readonly promise: Promise<undefined>; readonly open: () => void } {
  let open = (): void => {};
  const promise = new Promise<undefined>((resolve) => (open = () => resolve(undefined)));
  return { promise, open };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Controller', () => {
  let time: FakeTime;
  let stop: AbortController;
  let ended: Promise<void>;
  let failures: [string, number | undefined][];

  beforeEach(() => {
    time = new FakeTime();
    stop = new AbortController();
    failures = [];
  });

  afterEach(async () => {
    stop.abort();
    await ended;
  });

  function start(
    reconcile: ControllerOptions['reconcile'],
    more: Partial<ControllerOptions> = {},
  ): Controller {
    const controller = new Controller({
      reconcile,
      onError: (key, _error, pauseMs) => void failures.push([key, pauseMs]),
      sleep: time.sleep,
      ...more,
    });
    ended = controller.run(stop.signal);
    return controller;
  }

  it('works on a key once, however often it was put in before its turn', async () => {
    const done: string[] = [];
    const gate = gateway();
    const controller = start(async (key) => {
      done.push(key);
      return key === 'first' ? gate.promise : undefined;
    });

    ['first', 'a', 'b', 'a', 'a'].forEach((key) => controller.enqueue(key));
    gate.open();
    await settle();

    expect(done).to.deep.equal(['first', 'a', 'b']);
    expect(controller.pending).to.equal(0);
  });

  it('works once more on a key that was put in while it was worked on, never twice at once', async () => {
    let running = 0;
    let most = 0;
    let runs = 0;
    const gates = [gateway(), gateway()];
    const controller = start(
      async () => {
        running += 1;
        most = Math.max(most, running);
        await gates[runs++]?.promise;
        running -= 1;
        return undefined;
      },
      { workers: 4 },
    );

    controller.enqueue('a');
    controller.enqueue('a');
    controller.enqueue('a');
    gates.forEach((gate) => gate.open());
    await settle();

    expect([runs, most]).to.deep.equal([2, 1]);
  });

  it('works on as many keys at once as it has workers', async () => {
    const started: string[] = [];
    const gate = gateway();
    const controller = start(
      (key) => {
        started.push(key);
        return gate.promise;
      },
      { workers: 2 },
    );

    ['a', 'b', 'c'].forEach((key) => controller.enqueue(key));
    await settle();
    expect(started).to.deep.equal(['a', 'b']);

    gate.open();
    await settle();
    expect(started).to.deep.equal(['a', 'b', 'c']);
  });

  it('lets a slow key hold up no other key', async () => {
    const started: string[] = [];
    const controller = start(
      (key) => {
        started.push(key);
        return key === 'slow' ? new Promise(() => {}) : Promise.resolve(undefined);
      },
      { workers: 2 },
    );
    ended = Promise.resolve();

    ['slow', 'slow', 'b', 'slow', 'c'].forEach((key) => controller.enqueue(key));
    await settle();

    expect(started).to.deep.equal(['slow', 'b', 'c']);
  });

  it('tries a failed key again after pauses that double, up to the longest', async () => {
    const controller = start(() => Promise.reject(new Error('no')), {
      firstPauseMs: 100,
      longestPauseMs: 350,
    });

    controller.enqueue('a');
    await settle();
    await time.pass();
    await time.pass();
    await time.pass();

    expect(time.pauses).to.deep.equal([100, 200, 350, 350]);
    expect(failures).to.deep.equal(time.pauses.map((ms) => ['a', ms]));
  });

  it('begins with the first pause again after a success', async () => {
    const outcomes = [false, false, true, false];
    const controller = start(async () => {
      if (outcomes.shift() === false) {
        throw new Error('no');
      }
      return undefined;
    });

    controller.enqueue('a');
    await settle();
    await time.pass();
    await time.pass();
    controller.enqueue('a');
    await settle();

    expect(time.pauses).to.deep.equal([1_000, 2_000, 1_000]);
  });

  it('does not try again what will not pass by itself, until the key is put in anew', async () => {
    let runs = 0;
    const controller = start(() => {
      runs += 1;
      return Promise.reject(new NoSpaceError('full'));
    });

    controller.enqueue('a');
    await settle();
    await time.pass();
    expect([runs, time.pauses.length]).to.deep.equal([1, 0]);
    expect(failures).to.deep.equal([['a', undefined]]);

    controller.enqueue('a');
    await settle();
    expect(runs).to.equal(2);
  });

  it('works at once on a key that is put in during its pause, and only once', async () => {
    let runs = 0;
    const controller = start(async () => {
      runs += 1;
      if (runs === 1) {
        throw new Error('no');
      }
      return undefined;
    });

    controller.enqueue('a');
    await settle();
    controller.enqueue('a');
    await settle();
    await time.pass();

    expect(runs).to.equal(2);
  });

  it('looks again after the time that reconcile names', async () => {
    let runs = 0;
    const controller = start(async () => (++runs === 1 ? 70 : undefined));

    controller.enqueue('a');
    await settle();
    await time.pass();

    expect([runs, time.pauses]).to.deep.equal([2, [70]]);
  });

  it('keeps keys put in before it runs', async () => {
    const done: string[] = [];
    const controller = new Controller({
      reconcile: async (key) => {
        done.push(key);
        return undefined;
      },
      onError: () => {},
      sleep: time.sleep,
    });
    controller.enqueue('early');
    ended = controller.run(stop.signal);
    await settle();

    expect(done).to.deep.equal(['early']);
  });

  it('ends only when the work at hand has ended, and starts nothing new then', async () => {
    const gate = gateway();
    const started: string[] = [];
    let over = false;
    const controller = start((key) => {
      started.push(key);
      return gate.promise;
    });
    void ended.then(() => (over = true));

    controller.enqueue('a');
    controller.enqueue('b');
    stop.abort();
    await settle();
    expect(over).to.equal(false);

    gate.open();
    await settle();
    expect([over, started]).to.deep.equal([true, ['a']]);
  });
});
