import { expect } from 'chai';
import { eventSink } from '../../../src/kube/events.ts';
import type { EventSink } from '../../../src/usecases/ports.ts';
import { FakeApi } from '../../support/fake-api.ts';
import { silentLog } from '../../support/fake-cluster.ts';

const pod = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'db', uid: 'u1' };
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('eventSink', () => {
  let api: FakeApi;
  let now: number;
  let lost: number;
  let events: EventSink;
  beforeEach(() => {
    api = new FakeApi();
    now = 1_000;
    lost = 0;
    const log = { ...silentLog, warn: () => void (lost += 1) };
    events = eventSink({ api, log, now: () => now, component: 'berth-control' });
  });

  async function warn(message = 'no room', about: typeof pod = pod): Promise<void> {
    events.warning(about, 'BerthNoRoom', message);
    await settle();
  }
  const made = () => api.calls.filter(({ verb }) => verb === 'create');

  it('writes an event into the namespace of what it is about', async () => {
    await warn();

    const [event] = made();
    expect(event?.path).to.equal('/api/v1/namespaces/shop/events');
    expect(event?.body).to.deep.include({
      involvedObject: pod,
      type: 'Warning',
      reason: 'BerthNoRoom',
      message: 'no room',
      count: 1,
      firstTimestamp: '1970-01-01T00:00:01.000Z',
      source: { component: 'berth-control' },
    });
  });

  it('raises the count of the same event', async () => {
    await warn();
    now += 60_000;
    await warn();
    await warn();

    expect(made()).to.have.lengthOf(1);
    expect([...api.objects.values()][0]).to.deep.include({
      count: 3,
      firstTimestamp: '1970-01-01T00:00:01.000Z',
      lastTimestamp: '1970-01-01T00:01:01.000Z',
    });
  });

  it('begins anew for another text, another object, and a namesake', async () => {
    await warn();
    await warn('other');
    await warn('no room', { ...pod, name: 'db-2' });
    await warn('no room', { ...pod, uid: 'u2' });

    expect(made()).to.have.lengthOf(4);
    expect(api.objects.size).to.equal(4);
  });

  it('begins anew after ten minutes', async () => {
    await warn();
    now += 10 * 60_000 + 1;
    await warn();

    expect(made()).to.have.lengthOf(2);
  });

  it('begins anew when the first could not be written', async () => {
    api.before = () => Promise.reject(new Error('API gone'));
    await warn();
    api.before = () => {};
    await warn();

    expect(lost).to.equal(1);
    expect(api.objects.size).to.equal(1);
  });

  it('begins anew when the first is there no more', async () => {
    await warn();
    api.objects.clear();
    await warn();
    await warn();

    expect(api.objects.size).to.equal(1);
  });

  it('cuts a text that the API server would refuse', async () => {
    await warn('x'.repeat(5_000));

    expect((made()[0]?.body as { message: string }).message).to.have.lengthOf(1_024);
  });

  it('speaks of cluster-wide objects in the namespace default', async () => {
    events.normal({ apiVersion: 'v1', kind: 'Node', name: 'n1' }, 'Fine', 'all is well');
    await settle();

    expect(made()[0]?.path).to.equal('/api/v1/namespaces/default/events');
    expect(made()[0]?.body).to.deep.include({ type: 'Normal' });
  });
});
