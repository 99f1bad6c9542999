import { expect } from 'chai';
import { X509Certificate } from 'node:crypto';
import { splitPem, toTexts, validityOf, type Bundle } from '../../../src/certs/bundle.ts';
import { authorityLifetimeMs, serverLifetimeMs } from '../../../src/certs/rotate.ts';
import { ensureBundle } from '../../../src/certs/store.ts';
import { memorySlot, type MemorySlot } from './memory-slot.ts';

const names = ['berth-webhook.berth-system.svc', '127.0.0.1'];
const start = Date.parse('2026-01-01T00:00:00Z');

describe('ensureBundle', function () {
  this.timeout(30_000);
  let slot: MemorySlot;
  let now: number;
  let warnings: string[];
  beforeEach(() => {
    slot = memorySlot();
    now = start;
    warnings = [];
  });

  function ensure(shown?: Bundle, called = names): Promise<Bundle> {
    const log = {
      info: () => {},
      warn: (_event: string, fields = {}) => void warnings.push(JSON.stringify(fields)),
      error: () => {},
    };
    return ensureBundle({ slot, names: called, now: () => now, log }, shown);
  }

  it('makes an authority and a certificate for all names, once', async () => {
    const first = await ensure();
    const second = await ensure();

    const shown = new X509Certificate(first.server.cert);
    expect(shown.subjectAltName).to.equal(
      'DNS:berth-webhook.berth-system.svc, IP Address:127.0.0.1',
    );
    expect(shown.verify(new X509Certificate(first.trusted).publicKey)).to.equal(true);
    expect(second).to.deep.equal(first);
    expect(slot.writes).to.equal(1);
  });

  it('ends with the same for replicas that start at the same time', async () => {
    const all = await Promise.all(Array.from({ length: 4 }, () => ensure()));

    expect(new Set(all.map(({ server }) => server.cert)).size).to.equal(1);
    expect(slot.writes).to.equal(1);
  });

  it('ends with the same for replicas that renew at the same time', async () => {
    const before = await ensure();
    now = start + (serverLifetimeMs * 2) / 3;

    const all = await Promise.all([ensure(before), ensure(before), ensure(before)]);

    expect(new Set(all.map(({ server }) => server.cert)).size).to.equal(1);
    expect(slot.writes).to.equal(2);
    expect(all[0]?.server.cert).to.not.equal(before.server.cert);
    expect(all[0]?.authority).to.deep.equal(before.authority);
  });

  it('trusts the old authority beside the new one, until nothing of it can be shown', async () => {
    const before = await ensure();
    now = start + (authorityLifetimeMs * 2) / 3;
    const renewed = await ensure(before);
    now += (serverLifetimeMs * 2) / 3;
    const soon = await ensure(renewed);
    now += (serverLifetimeMs * 2) / 3;
    const later = await ensure(soon);

    expect(splitPem(renewed.trusted)).to.deep.equal([
      renewed.authority.cert,
      before.authority.cert,
    ]);
    expect(splitPem(soon.trusted)).to.have.length(2);
    expect(splitPem(later.trusted)).to.deep.equal([renewed.authority.cert]);
    expect(validityOf(later.server.cert).until).to.equal(now + serverLifetimeMs);
  });

  it('keeps the names that other replicas asked for', async () => {
    await ensure(undefined, ['a.example']);
    const both = await ensure(undefined, ['b.example']);
    const again = await ensure(undefined, ['a.example']);

    expect(new X509Certificate(both.server.cert).subjectAltName).to.contain('DNS:a.example');
    expect(again).to.deep.equal(both);
  });

  const damages: readonly [string, (texts: Record<string, string>) => Record<string, string>][] = [
    ['tls.crt is not a PEM certificate', (t) => ({ ...t, 'tls.crt': 'garbage' })],
    ['tls.key is not a PEM private key', (t) => ({ ...t, 'tls.key': 'garbage' })],
    ['tls.key does not belong to tls.crt', (t) => ({ ...t, 'tls.key': t['ca.key'] ?? '' })],
    ['ca.key does not belong to ca.crt', (t) => ({ ...t, 'ca.key': t['tls.key'] ?? '' })],
    ['ca.crt is not a PEM certificate', (t) => ({ ...t, 'ca.crt': 'garbage' })],
    ['ca.key is missing', (t) => ({ ...t, 'ca.key': '' })],
    [
      'tls.crt is not signed by',
      (t) => ({ ...t, 'ca.crt': t['tls.crt'] ?? '', 'ca.key': t['tls.key'] ?? '' }),
    ],
  ];
  for (const [reason, damage] of damages) {
    it(`makes all anew where ${reason}, and still trusts what is shown`, async () => {
      const before = await ensure();
      slot.put(damage({ ...toTexts(before) }));

      const anew = await ensure(before);

      expect(warnings.join()).to.contain(reason);
      expect(splitPem(anew.trusted)).to.deep.equal([anew.authority.cert, before.authority.cert]);
      expect(await ensure(anew)).to.deep.equal(anew);
    });
  }

  it('makes all anew when the Secret was deleted', async () => {
    const before = await ensure();
    slot.put(undefined);

    const anew = await ensure(before);

    expect(anew.authority.cert).to.not.equal(before.authority.cert);
    expect(anew.trusted).to.contain(before.authority.cert);
  });

  it('gives up when others write without end', async () => {
    const endless = { ...slot, read: async () => undefined, create: async () => false };
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    let message = '';
    try {
      await ensureBundle({ slot: endless, names, now: () => now, log });
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).to.contain('10 times');
  });
});
