import { Agent, request } from 'node:https';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { claim } from '../support/objects.ts';
import type { Figures } from './figures.ts';
import { peakMemory } from './process-cost.ts';
import { realisticPod } from './realistic-pod.ts';
import { poolName, type SmallGround, volumeSize } from './small-ground.ts';

const perSecond = 200;
const warmUpSeconds = 3;
const seconds = 10;
const configurations = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';

interface ClientConfig {
  url: string;
  caBundle: string;
}

/**
 * Reviews of pods at a fixed rate, whether the answers come or not: a slow answer does not make
 * the next question later, so nothing is hidden.
 */
export async function measureWebhook(ground: SmallGround, figures: Figures): Promise<void> {
  const { berth, kube } = ground;
  const webhook = await berth.startWebhook();
  await kube.create(claim('reviewed', poolName, volumeSize));
  const { url, caBundle } = await clientConfigOf(ground);
  const agent = new Agent({
    ca: Buffer.from(caBundle, 'base64'),
    keepAlive: true,
    maxSockets: 64,
  });
  const times: number[] = [];
  const calls: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let n = -warmUpSeconds * perSecond; n < seconds * perSecond; n += 1) {
    const dueAt = startedAt + (n + warmUpSeconds * perSecond) * (1000 / perSecond);
    await sleep(Math.max(0, dueAt - performance.now()));
    const isWarm = n >= 0;
    calls.push(
      review(url, agent).then(() => {
        if (isWarm) {
          times.push(performance.now() - dueAt);
        }
      }),
    );
  }
  await Promise.all(calls);
  figures.addTimes(`webhook.${perSecond}rps`, times);
  figures.add('memory.webhook.rss', peakMemory(webhook.program), 'MiB');
  agent.destroy();
}

async function clientConfigOf({ cluster }: SmallGround): Promise<ClientConfig> {
  const { items } = await cluster.api.request<{
    items: { webhooks: { clientConfig: ClientConfig }[] }[];
  }>('GET', configurations);
  const all = items.flatMap(({ webhooks }) => webhooks.map(({ clientConfig }) => clientConfig));
  const found = all.find(({ url }) => url.endsWith('/mutate-pod'));
  if (!found) {
    throw new Error('no webhook for pods is configured');
  }
  return found;
}

function review(url: string, agent: Agent): Promise<void> {
  const body = JSON.stringify(reviewOfPod());
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const call = request(url, { method: 'POST', agent, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        // Nothing was measured where the pod was not recognised as one of ours.
        if (answer.statusCode === 200 && text.includes('"patch"')) {
          resolve();
        } else {
          reject(new Error(`review: ${answer.statusCode ?? '?'} ${text.slice(0, 200)}`));
        }
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

function reviewOfPod(): object {
  const name = 'orders-postgres-0';
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: randomUUID(),
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      name,
      namespace: 'default',
      operation: 'CREATE',
      userInfo: { username: 'system:serviceaccount:kube-system:statefulset-controller' },
      object: realisticPod(name, 'reviewed', 'default-scheduler'),
    },
  };
}
