import { expect } from 'chai';
import { Gauge, Registry } from 'prom-client';
import { listen } from '../../../src/http/listen.ts';
import { opsApp } from '../../../src/http/ops.ts';

describe('the pages for those who run a role', () => {
  let missing: string[];
  let url: string;
  let stop: AbortController;
  let closed: Promise<void>;

  beforeEach(async () => {
    missing = [];
    const metrics = new Registry();
    new Gauge({ name: 'berth_things', help: 'things', registers: [metrics] }).set(3);
    const app = opsApp(() => missing, metrics, {
      '/more': () => ({ status: 200, type: 'application/json', body: '{"size":"größer"}' }),
      '/broken': () => Promise.reject(new Error('the disk is gone')),
    });
    stop = new AbortController();
    const { port, closed: ended } = await listen(app, {
      ...{ address: '127.0.0.1', port: 0, signal: stop.signal },
    });
    url = `http://127.0.0.1:${port}`;
    closed = ended;
  });

  afterEach(async () => {
    stop.abort();
    await closed;
  });

  const ask = async (path: string, method = 'GET') => {
    const answer = await fetch(url + path, { method });
    const type = answer.headers.get('content-type');
    return { status: answer.status, type, text: await answer.text(), headers: answer.headers };
  };

  it('says that the process lives, and what is missing until it is ready', async () => {
    missing = ['pools not read', 'volumes not looked at'];
    expect(await ask('/healthz')).to.include({ status: 200, text: 'ok\n' });
    const { status, text } = await ask('/readyz');
    expect(status).to.equal(503);
    expect(text).to.include('pools not read').and.include('volumes not looked at');

    missing = [];
    expect(await ask('/readyz?verbose')).to.include({ status: 200, text: 'ok\n' });
  });

  it('shows the metrics of the role and of the process, without statistics that cost when idle', async () => {
    const { status, type, text } = await ask('/metrics');
    expect(status).to.equal(200);
    expect(type).to.match(/^text\/plain; version=/);
    expect(text).to.match(/^berth_things 3$/m);
    expect(text).to.match(/^process_cpu_seconds_total /m);
    expect(text).to.match(/^nodejs_eventloop_lag_seconds /m);
    expect(text).to.not.include('nodejs_eventloop_lag_p99_seconds');
  });

  it('shows what the role adds, whole', async () => {
    const { status, type, text } = await ask('/more');
    expect({ status, type, text }).to.deep.equal({
      ...{ status: 200, type: 'application/json', text: '{"size":"größer"}' },
    });
  });

  it('answers HEAD with the same head and nothing else', async () => {
    const { status, text, headers } = await ask('/more', 'HEAD');
    expect({ status, text }).to.deep.equal({ status: 200, text: '' });
    expect(headers.get('content-length')).to.equal(String(Buffer.byteLength('{"size":"größer"}')));
  });

  it('answers every question: 404 for what there is not, 500 for what failed', async () => {
    expect((await ask('/')).status).to.equal(404);
    expect((await ask('/constructor')).status).to.equal(404);
    expect((await ask('/healthz', 'POST')).status).to.equal(404);
    const { status, text } = await ask('/broken');
    expect(status).to.equal(500);
    expect(text).to.include('the disk is gone');
  });
});
