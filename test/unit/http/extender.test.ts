import { expect } from 'chai';
import { extenderApp, type ExtenderHandlers } from '../../../src/http/extender.ts';
import { listen } from '../../../src/http/listen.ts';
import type { FilterAnswer } from '../../../src/usecases/filter-nodes.ts';
import { silentLog } from '../../support/fake-cluster.ts';

const pod = {
  metadata: { name: 'db', namespace: 'shop', uid: 'u1', creationTimestamp: null },
  spec: { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] },
  status: {},
};
/** As kube-scheduler writes it: what is not given is null. */
const args = { Pod: pod, Nodes: null, NodeNames: ['n1', 'n2', 'n3'] };
const binding = { PodName: 'db', PodNamespace: 'shop', PodUID: 'u1', Node: 'n1' };
const preemption = {
  Pod: pod,
  NodeNameToVictims: null,
  NodeNameToMetaVictims: {
    n1: { Pods: [{ UID: 'v1' }], NumPDBViolations: 3 },
    n2: { Pods: null, NumPDBViolations: 0 },
  },
};

const someAnswer: FilterAnswer = {
  feasible: ['n1'],
  rejected: new Map([
    ['n2', 'berth: less than 1Gi free in pool fast'],
    ['n3', 'berth: node is not known yet'],
  ]),
  rejections: new Map(),
  needs: { volumes: [], pins: [] },
};

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

describe('the HTTP face of the extender', () => {
  let handlers: { -readonly [K in keyof ExtenderHandlers]: ExtenderHandlers[K] };
  let seen: unknown[];
  let missing: string[];
  let unresolvable: boolean;
  let url: string;
  let stop: AbortController;
  let closed: Promise<void>;

  beforeEach(async () => {
    seen = [];
    missing = [];
    unresolvable = true;
    handlers = {
      filter: async (...asked) => {
        seen.push(asked);
        return someAnswer;
      },
      prioritize: async (_pod, names) => names.map((node, i) => ({ node, score: i })),
      preempt: async (_pod, victims) => {
        seen.push(victims);
        return new Set(['n1']);
      },
      bind: async (request) => {
        seen.push(request);
        return { ok: true, value: undefined };
      },
      notReady: () => missing,
      knowsUnresolvable: () => unresolvable,
      filtered: () => {},
      observed: () => {},
      log: silentLog,
    };
    stop = new AbortController();
    const app = extenderApp(handlers);
    const server = await listen(app, { address: '127.0.0.1', port: 0, signal: stop.signal });
    url = `http://127.0.0.1:${server.port}`;
    closed = server.closed;
  });

  afterEach(async () => {
    // Whatever a request has done, the process answers the next one.
    missing = [];
    const alive = await post('/bind', binding);
    expect(alive.status).to.equal(200);
    stop.abort();
    await closed;
  });

  function post(path: string, body: object): Promise<Answer> {
    return send(path, JSON.stringify(body));
  }

  async function send(path: string, body: string, type = 'application/json'): Promise<Answer> {
    const headers = { 'content-type': type, connection: 'close' };
    const response = await fetch(url + path, { method: 'POST', headers, body });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  }

  async function expectFilterError(answer: Promise<Answer>, text: string): Promise<void> {
    const { status, body } = await answer;
    expect(status).to.equal(200);
    expect(body['Error']).to.contain(text);
    expect(body).to.deep.include({
      NodeNames: [],
      FailedNodes: {},
      FailedAndUnresolvableNodes: {},
    });
    expect(seen).to.deep.equal([]);
  }

  describe('filter', () => {
    it('answers with what fits, and every refused node with its reason', async () => {
      const { status, body } = await post('/filter', args);

      expect(status).to.equal(200);
      expect(body).to.deep.equal({
        NodeNames: ['n1'],
        FailedNodes: {},
        FailedAndUnresolvableNodes: Object.fromEntries(someAnswer.rejected),
        Error: '',
      });
    });

    describe('of all nodes, before 1.21', () => {
      const schedulerOf = (schedulerName: string) => ({
        ...args,
        Pod: { ...args.Pod, spec: { ...args.Pod.spec, schedulerName } },
      });
      beforeEach(() => {
        unresolvable = false;
        handlers.filter = async () => ({ ...someAnswer, feasible: [] });
      });

      it('is an error for schedulers that would look for victims there, and panic', async () => {
        const { body } = await post('/filter', schedulerOf('default-scheduler'));

        expect(body).to.deep.equal({
          NodeNames: [],
          FailedNodes: {},
          FailedAndUnresolvableNodes: {},
          Error:
            '0/2 nodes are available: 1 berth: less than 1Gi free in pool fast, 1 berth: node is not known yet.',
        });
      });

      it('is told node by node to our own profile, which looks for none', async () => {
        const { body } = await post('/filter', schedulerOf('berth-scheduler'));

        expect(body).to.deep.include({
          FailedNodes: Object.fromEntries(someAnswer.rejected),
          Error: '',
        });
      });
    });

    it('puts the reasons where schedulers before 1.21 read them', async () => {
      unresolvable = false;

      const { body } = await post('/filter', args);

      expect(body).to.deep.include({
        FailedNodes: Object.fromEntries(someAnswer.rejected),
        FailedAndUnresolvableNodes: {},
      });
    });

    it('asks for the pod and the names that it was given', async () => {
      await post('/filter', args);

      const [[asked, names]] = seen as [[{ uid: string; claims: unknown }, string[]]];
      expect(asked.uid).to.equal('u1');
      expect(asked.claims).to.deep.equal([{ name: 'data' }]);
      expect(names).to.deep.equal(['n1', 'n2', 'n3']);
    });

    for (const [what, body, text] of [
      ['not JSON', '{"Pod":', 'berth: '],
      ['nothing', '', 'Pod is missing: an object is required'],
      ['a list', '[]', 'the body is []: a JSON object is required'],
      ['a number', '5', 'berth: '],
      ['no Pod', '{"NodeNames":["n1"]}', 'Pod is missing: an object is required'],
      ['a null Pod', '{"Pod":null,"NodeNames":["n1"]}', 'Pod is null: an object is required'],
      ['a Pod that is a text', '{"Pod":"db","NodeNames":[]}', 'Pod is "db": an object is required'],
      ['an empty Pod', '{"Pod":{},"NodeNames":[]}', 'Pod.metadata.name is missing'],
      [
        'keys in lower case',
        '{"pod":{},"nodenames":[]}',
        '(the key is "pod": it must be written "Pod")',
      ],
    ] as const) {
      it(`tells what is wrong with ${what}`, async () => {
        await expectFilterError(send('/filter', body), text);
      });
    }

    for (const [what, names, text] of [
      ['null', null, 'NodeNames is null: a list is required: set nodeCacheCapable: true'],
      ['missing', undefined, 'NodeNames is missing'],
      ['numbers', ['n1', 5], 'NodeNames[1] is 5: the name of a node is required'],
      ['an empty name', [''], 'NodeNames[0] is ""'],
      ['an object', { n1: true }, 'NodeNames is {"n1":true}: a list is required'],
    ] as const) {
      it(`tells what is wrong when NodeNames is ${what}`, async () => {
        await expectFilterError(post('/filter', { Pod: pod, NodeNames: names }), text);
      });
    }

    it('hints at the case of a key', async () => {
      const answer = post('/filter', { Pod: pod, nodeNames: ['n1'] });

      await expectFilterError(answer, '(the key is "nodeNames": it must be written "NodeNames")');
    });

    it('refuses a body of 20 MB with its reason', async () => {
      const answer = post('/filter', { ...args, Nodes: 'x'.repeat(20 * 2 ** 20) });

      await expectFilterError(answer, 'too large');
    });

    it('survives a body that is nested very deeply', async () => {
      const deep = `{"Pod":${'['.repeat(50_000)}${']'.repeat(50_000)},"NodeNames":[]}`;

      await expectFilterError(send('/filter', deep), 'Pod.metadata.name is missing');
    });

    it('takes JSON under any content type', async () => {
      const { body } = await send('/filter', JSON.stringify(args), 'text/plain');

      expect(body['NodeNames']).to.deep.equal(['n1']);
    });

    it('answers no nodes, and never all, while it is not ready', async () => {
      missing = ['pods', 'claims'];

      await expectFilterError(post('/filter', args), 'berth is not ready: pods, claims');
    });

    it('answers a failure with its text', async () => {
      Object.assign(handlers, { filter: async () => Promise.reject(new Error('no memory')) });

      await expectFilterError(post('/filter', args), 'berth: no memory');
    });

    it('has answered before it tells others, whose failure is not the scheduler’s', async () => {
      Object.assign(handlers, {
        filtered: () => {
          throw new Error('a listener failed');
        },
      });

      const { body } = await post('/filter', args);

      expect(body['NodeNames']).to.deep.equal(['n1']);
    });
  });

  describe('prioritize', () => {
    it('answers with a bare list', async () => {
      const { status, body } = await post('/prioritize', args);

      expect(status).to.equal(200);
      expect(body).to.deep.equal([
        { Host: 'n1', Score: 0 },
        { Host: 'n2', Score: 1 },
        { Host: 'n3', Score: 2 },
      ]);
    });

    it('has no field for an error, so it answers with a status', async () => {
      expect((await send('/prioritize', '{')).status).to.equal(400);
      expect((await post('/prioritize', {})).status).to.equal(400);

      missing = ['nodes'];
      expect((await post('/prioritize', args)).status).to.equal(503);

      missing = [];
      Object.assign(handlers, { prioritize: async () => Promise.reject(new Error('broken')) });
      expect((await post('/prioritize', args)).status).to.equal(500);
    });
  });

  describe('preempt', () => {
    it('answers with the kept nodes as they came', async () => {
      const { status, body } = await post('/preempt', preemption);

      expect(status).to.equal(200);
      expect(body).to.deep.equal({
        NodeNameToMetaVictims: { n1: preemption.NodeNameToMetaVictims.n1 },
      });
      expect(seen[0]).to.deep.equal(
        new Map([
          ['n1', ['v1']],
          ['n2', []],
        ]),
      );
    });

    it('reads whole victims too, and answers with their uids', async () => {
      const { body } = await post('/preempt', {
        Pod: pod,
        NodeNameToVictims: {
          n1: { Pods: [{ metadata: { name: 'a', uid: 'v1' } }], NumPDBViolations: 3 },
        },
      });

      expect(body).to.deep.equal({
        NodeNameToMetaVictims: { n1: { Pods: [{ UID: 'v1' }], NumPDBViolations: 3 } },
      });
    });

    for (const [what, wrong, text] of [
      ['victims', { NodeNameToMetaVictims: null }, 'NodeNameToMetaVictims is null: an object'],
      ['a uid', { NodeNameToMetaVictims: { n1: { Pods: [{}] } } }, 'of node n1 have one without'],
    ] as const) {
      it(`says what is wrong where ${what} is missing, and evicts nobody`, async () => {
        const { status, body } = await post('/preempt', { Pod: pod, ...wrong });

        expect(status).to.equal(400);
        expect(body['error']).to.contain(text);
        expect(seen).to.deep.equal([]);
      });
    }

    it('evicts nobody while it is not ready', async () => {
      missing = ['localVolumes'];

      expect((await post('/preempt', preemption)).status).to.equal(503);
      expect(seen).to.deep.equal([]);
    });
  });

  describe('bind', () => {
    it('answers a success with an empty error', async () => {
      const { status, body } = await post('/bind', binding);

      expect([status, body]).to.deep.equal([200, { Error: '' }]);
      expect(seen).to.deep.equal([{ name: 'db', namespace: 'shop', uid: 'u1', node: 'n1' }]);
    });

    it('answers a refusal with its reason', async () => {
      const { bind } = handlers;
      Object.assign(handlers, { bind: async () => ({ ok: false, error: 'no room' }) });

      const { status, body } = await post('/bind', binding);
      Object.assign(handlers, { bind });

      expect([status, body]).to.deep.equal([200, { Error: 'no room' }]);
    });

    it('answers a failure with its text', async () => {
      const { bind } = handlers;
      Object.assign(handlers, { bind: async () => Promise.reject(new Error('API gone')) });

      const { status, body } = await post('/bind', binding);
      Object.assign(handlers, { bind });

      expect([status, body]).to.deep.equal([200, { Error: 'berth: API gone' }]);
    });

    it('binds nothing while it is not ready', async () => {
      missing = ['nodes'];

      const { status, body } = await post('/bind', binding);

      expect([status, body]).to.deep.equal([200, { Error: 'berth is not ready: nodes' }]);
      expect(seen).to.deep.equal([]);
    });

    for (const key of Object.keys(binding)) {
      it(`misses ${key}`, async () => {
        const { status, body } = await post('/bind', { ...binding, [key]: undefined });

        expect(status).to.equal(200);
        expect(body['Error']).to.contain(`${key} is missing: a text is required`);
      });
    }

    it('tells of a broken body in its own form', async () => {
      const { status, body } = await send('/bind', 'no JSON');

      expect(status).to.equal(200);
      expect(body['Error']).to.match(/^berth: /);
    });
  });

  for (const [method, path] of [
    ['GET', '/filter'],
    ['GET', '/bind'],
    ['PUT', '/prioritize'],
    ['POST', '/'],
    ['POST', '/other'],
  ] as const) {
    it(`knows nothing of ${method} ${path}`, async () => {
      const body = method === 'GET' ? {} : { body: '{' };

      const response = await fetch(url + path, {
        method,
        headers: { connection: 'close' },
        ...body,
      });
      await response.text();

      expect(response.status).to.equal(404);
    });
  }
});
