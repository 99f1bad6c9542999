import { Agent, request } from 'node:http';

/** A timed answer. */
export interface Timed {
  readonly ms: number;
  readonly text: string;
}

/** Calls one HTTP server over connections that stay open, as kube-scheduler does. */
export class Caller {
  readonly #agent: Agent;

  constructor(connections = 1) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /**
   * Posts a JSON body and takes the time until the last byte of the answer is here.
   *
   * @throws Error for any status but 200
   */
  post(url: string, body: string | Buffer): Promise<Timed> {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    return new Promise((resolve, reject) => {
      const startedAt = performance.now();
      const call = request(url, { method: 'POST', agent: this.#agent, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const ms = performance.now() - startedAt;
          const text = Buffer.concat(chunks).toString();
          if (answer.statusCode === 200) {
            resolve({ ms, text });
          } else {
            reject(new Error(`POST ${url}: ${answer.statusCode ?? '?'} ${text.slice(0, 200)}`));
          }
        });
      });
      call.on('error', reject);
      call.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
