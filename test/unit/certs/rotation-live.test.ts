import { expect } from 'chai';
import express from 'express';
import { once } from 'node:events';
import * as https from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { namesOf, type Bundle } from '../../../src/certs/bundle.ts';
import { issueAuthority, issueServerCertificate } from '../../../src/certs/issue.ts';
import { keepCertificate } from '../../../src/certs/keep-certificate.ts';
import { ensureBundle } from '../../../src/certs/store.ts';
import { listen, type Listening } from '../../../src/http/listen.ts';
import { memorySlot } from './memory-slot.ts';

const silent = { info: () => {}, warn: () => {}, error: () => {} };

async function serverNameShown(port: number, ca: string): Promise<string> {
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', ca, servername: 'localhost' });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

describe('a server with our certificates', function () {
  this.timeout(30_000);
  const stopping = new AbortController();
  after(() => stopping.abort());

  it('is trusted by those who trust the authority, under each of its names, and by no one else', async () => {
    const now = Date.now();
    const authority = await issueAuthority(now);
    const other = await issueAuthority(now);
    const pair = await issueServerCertificate(authority, ['localhost', '127.0.0.1', '::1'], now);
    const { signal } = stopping;
    const { port } = await listen(express(), { address: '127.0.0.1', port: 0, tls: pair, signal });

    const outcome = async (ca: string, servername: string): Promise<string> => {
      const socket = connect({ port, host: '127.0.0.1', ca, servername });
      const error = await once(socket, 'secureConnect').then(
        () => 'trusted',
        (reason: unknown) => (reason as NodeJS.ErrnoException).code ?? '',
      );
      socket.destroy();
      return error;
    };
    expect(await outcome(authority.cert, 'localhost')).to.equal('trusted');
    expect(await outcome(authority.cert, '')).to.equal('trusted');
    expect(await outcome(authority.cert, 'example.org')).to.equal('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(await outcome(other.cert, 'localhost')).to.match(/UNABLE_TO_VERIFY|SELF_SIGNED|ISSUER/);
    expect(namesOf(pair.cert)).to.include('127.0.0.1');
  });

  it('writes what strict verifiers want: serial, key usage, key identifiers', async () => {
    const authority = await issueAuthority(Date.now());
    const pair = await issueServerCertificate(authority, ['localhost'], Date.now());
    const [ca, leaf] = [new X509Certificate(authority.cert), new X509Certificate(pair.cert)];

    expect(ca.ca).to.equal(true);
    expect(leaf.ca).to.equal(false);
    expect(leaf.checkIssued(ca)).to.equal(true);
    expect(leaf.keyUsage).to.deep.equal(['1.3.6.1.5.5.7.3.1']);
    expect(leaf.serialNumber).to.match(/^[4-7][0-9A-F]{31}$/);
    expect(leaf.serialNumber).to.not.equal(ca.serialNumber);
  });

  it('goes over to a new authority without refusing a call or dropping a connection', async () => {
    const slot = memorySlot();
    const options = { slot, names: ['localhost', '127.0.0.1'], now: Date.now, log: silent };
    const app = express();
    app.get('/', (_req, res) => void res.send('ok'));
    const { signal } = stopping;
    let trusted = '';
    const held: { server?: Listening } = {};
    let shows = 0;
    const keeper = keepCertificate<Bundle>({
      obtain: (shown) => ensureBundle(options, shown),
      trust: async (bundle) => {
        trusted = bundle.trusted;
      },
      show: (bundle) => {
        shows += 1;
        held.server?.setCertificate(bundle.server);
      },
      lookAgainMs: () => 60_000,
      settleMs: 50,
      log: silent,
    });
    const running = keeper.run(signal);
    const until = async (what: () => boolean): Promise<void> => {
      while (!what()) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    await until(() => shows === 1);
    const tls = (await ensureBundle(options)).server;
    const server = await listen(app, { address: '127.0.0.1', port: 0, tls, signal });
    held.server = server;
    const { port } = server;

    const lasting = new https.Agent({ keepAlive: true, maxSockets: 1, ca: trusted });
    const call = async (agent: https.Agent): Promise<boolean> => {
      const request = https.get({ port, host: '127.0.0.1', agent });
      const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
      response.resume();
      await once(response, 'end');
      return request.reusedSocket;
    };
    await call(lasting);
    const before = await serverNameShown(port, trusted);

    slot.put(undefined);
    keeper.wake();
    let calls = 0;
    while (shows < 2) {
      await call(new https.Agent({ ca: trusted }));
      expect(await call(lasting)).to.equal(true);
      calls += 1;
    }
    await call(new https.Agent({ ca: trusted }));

    expect(await serverNameShown(port, trusted)).to.not.equal(before);
    expect(calls).to.be.greaterThan(3);
    lasting.destroy();
    stopping.abort();
    await running;
  });
});
