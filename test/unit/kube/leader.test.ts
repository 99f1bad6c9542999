import { expect } from 'chai';
import { runWhileLeading } from '../../../src/kube/leader.ts';
import type { Lease } from '../../../src/kube/objects.ts';
import { FakeApi } from '../../support/fake-api.ts';
import { silentLog } from '../../support/fake-cluster.ts';

const leasePath = '/apis/coordination.k8s.io/v1/namespaces/berth-system/leases/berth-control';
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Time that passes only where a test says so; sleepers wake in the order of their times. */
class FakeTime {
  ms = 1_000_000;
  #sleepers: { at: number; wake: () => void }[] = [];

  readonly now = (): number => this.ms;
  readonly sleep = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#sleepers.push({ at: this.ms + ms, wake });
      signal.addEventListener('abort', wake);
    });

  async pass(ms: number): Promise<void> {
    const until = this.ms + ms;
    for (;;) {
      await settle();
      await settle();
      const next = this.#sleepers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) {
        break;
      }
      this.#sleepers = this.#sleepers.filter((one) => one !== next);
      this.ms = next.at;
      next.wake();
    }
    this.ms = until;
  }
}

describe('runWhileLeading', () => {
  let api: FakeApi;
  let time: FakeTime;
  let stop: AbortController;
  let running: Promise<void>[];
  /** Who works, by identity. */
  let working: Set<string>;
  beforeEach(() => {
    api = new FakeApi();
    time = new FakeTime();
    stop = new AbortController();
    running = [];
    working = new Set();
  });

  afterEach(async () => {
    api.before = () => {};
    stop.abort();
    await Promise.all(running);
  });

  function candidate(identity: string, signal = stop.signal): void {
    const place = { namespace: 'berth-system', name: 'berth-control' };
    const options = { api, log: silentLog, now: time.now, sleep: time.sleep, ...place, identity };
    const work = (term: AbortSignal): Promise<void> => {
      working.add(identity);
      return new Promise((resolve) => {
        term.addEventListener('abort', () => {
          working.delete(identity);
          resolve();
        });
      });
    };
    running.push(runWhileLeading(options, work, signal));
  }

  const holder = (): string | undefined =>
    (api.objects.get(leasePath) as Lease | undefined)?.spec?.holderIdentity;

  function held(by: string): void {
    api.put(leasePath, {
      metadata: { namespace: 'berth-system', name: 'berth-control' },
      ...{ spec: { holderIdentity: by } },
    });
  }

  it('takes a Lease that is not there, and renews it', async () => {
    candidate('a');
    await time.pass(60_000);

    expect([...working]).to.deep.equal(['a']);
    expect(holder()).to.equal('a');
    const { spec } = api.objects.get(leasePath) as unknown as Lease;
    expect(spec?.acquireTime).to.equal('1970-01-01T00:16:40.000000Z');
    expect(spec?.renewTime).to.equal('1970-01-01T00:17:40.000000Z');
  });

  it('lets only one of several work', async () => {
    candidate('a');
    candidate('b');
    candidate('c');
    await time.pass(60_000);

    expect(working.size).to.equal(1);
  });

  it('waits by its own clock until a dead holder cannot be at work any more', async () => {
    held('dead');
    candidate('a');

    await time.pass(14_000);
    expect(working.size).to.equal(0);

    await time.pass(4_000);
    expect([...working]).to.deep.equal(['a']);
  });

  it('takes a Lease at once that was let go', async () => {
    held('');
    candidate('a');
    await time.pass(0);

    expect([...working]).to.deep.equal(['a']);
  });

  it('lets the Lease go when it stops, so that the next one leads soon', async () => {
    const first = new AbortController();
    candidate('a', first.signal);
    await time.pass(1_000);
    candidate('b');
    await time.pass(1_000);

    first.abort();
    await running[0];
    await time.pass(3_000);

    expect([...working]).to.deep.equal(['b']);
  });

  it('ends its term when the API server refuses for too long, and leads again afterwards', async () => {
    candidate('a');
    await time.pass(1_000);
    api.before = () => Promise.reject(new Error('API gone'));

    await time.pass(8_000);
    expect([...working], 'a short outage is nothing').to.deep.equal(['a']);

    await time.pass(4_000);
    expect(working.size).to.equal(0);

    api.before = () => {};
    await time.pass(5_000);
    expect([...working]).to.deep.equal(['a']);
  });

  it('ends its term in time where the API server does not answer at all', async () => {
    candidate('a');
    await time.pass(1_000);
    const answers: (() => void)[] = [];
    api.before = () => new Promise((resolve) => answers.push(resolve));

    await time.pass(14_000);

    expect(working.size).to.equal(0);
    api.before = () => {};
    answers.forEach((answer) => answer());
  });

  it('never works beside another, whenever their API server fails', async () => {
    candidate('a');
    await time.pass(1_000);
    candidate('b');
    let mostAtOnce = 0;

    for (let second = 0; second < 120; second += 1) {
      const failing = second % 40 > 10 ? 'a' : '';
      api.before = ({ body }) => {
        const renewing = (body as Lease | undefined)?.spec?.holderIdentity;
        return renewing === failing ? Promise.reject(new Error('API gone')) : undefined;
      };
      await time.pass(1_000);
      mostAtOnce = Math.max(mostAtOnce, working.size);
    }

    expect(mostAtOnce).to.equal(1);
  });
});
