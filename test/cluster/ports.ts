import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const taken = new Set<number>();

/**
 * A TCP port nobody listens on at 127.0.0.1, never the same twice in this process.
 *
 * It lies below the kernel's range for outgoing connections. A port of that range can be taken by any client
 * while our server restarts, even by a client that dials this very port: TCP then connects it to itself.
 */
export async function freePort(): Promise<number> {
  const end = firstOutgoingPort();
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = randomInt(Math.min(20_000, end - 2_000), end);
    if (!taken.has(port) && (await isFree(port))) {
      taken.add(port);
      return port;
    }
  }
  throw new Error('no free TCP port found on 127.0.0.1');
}

function firstOutgoingPort(): number {
  const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
  const first = Number(range.trim().split(/\s+/)[0]);
  // A machine that gives nearly all ports to clients leaves no better choice than among them.
  return first > 4_000 ? first : 32_768;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
