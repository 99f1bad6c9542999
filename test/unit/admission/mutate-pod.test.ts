import { expect } from 'chai';
import fc from 'fast-check';
import { mutatePod, type Routing } from '../../../src/admission/mutate-pod.ts';
import { maxTerms, type NodeTerm, type Requirement } from '../../../src/admission/node-terms.ts';
import type { ClaimFacts } from '../../../src/admission/pod-facts.ts';
import { admits, type TestNode } from './node-matching.ts';
import {
  applyPatch,
  boundTo,
  hostname,
  podWith,
  podWithTerms,
  required,
  routing,
  schedulingOf,
  termsOf,
  unbound,
} from './pods.ts';

const foreign = (bound: boolean): ClaimFacts => ({ claim: 'other', kind: 'foreign', bound });
const exists = (pool: string): Requirement => ({
  key: `pool.berth.dev/${pool}`,
  operator: 'Exists',
});

function mutated(pod: object, claims: readonly ClaimFacts[], how: Routing = routing) {
  const verdict = mutatePod(schedulingOf(pod), claims, how);
  const after = applyPatch(pod, verdict.patch) as ReturnType<typeof podWith>;
  return { ...verdict, pod: after, terms: termsOf(after) };
}

describe('mutatePod routes', () => {
  it('leaves a pod without claims of ours alone', () => {
    const { patch, warnings, concerned } = mutated(podWith({}), [foreign(false), foreign(true)]);

    expect(patch).to.deep.equal([]);
    expect(warnings).to.deep.equal([]);
    expect(concerned).to.equal(false);
  });

  for (const schedulerName of ['default-scheduler', '', undefined]) {
    it(`sends a pod of scheduler "${schedulerName}" to ours`, () => {
      const { pod, scheduler } = mutated(podWith({ schedulerName }), [unbound('fast')]);

      expect(pod.spec['schedulerName']).to.equal('berth-scheduler');
      expect(scheduler).to.equal('berth-scheduler');
    });
  }

  it('leaves the choice to a pod that made one, and still says where the pool is', () => {
    const { pod, terms } = mutated(podWith({ schedulerName: 'mine' }), [unbound('fast')]);

    expect(pod.spec['schedulerName']).to.equal('mine');
    expect(terms).to.deep.equal([{ matchExpressions: [exists('fast')] }]);
  });

  it('takes the list of schedulers that are no choice from the settings', () => {
    const how = { ...routing, defaultSchedulers: ['default-scheduler', 'house'] };

    const { scheduler } = mutated(podWith({ schedulerName: 'house' }), [unbound('fast')], how);

    expect(scheduler).to.equal('berth-scheduler');
  });

  it('leaves a pod that also waits for a foreign volume where such volumes are provided', () => {
    const { scheduler, terms } = mutated(podWith({}), [unbound('fast'), foreign(false)]);

    expect(scheduler).to.equal('default-scheduler');
    expect(terms).to.deep.equal([{ matchExpressions: [exists('fast')] }]);
  });

  it('sends a pod whose foreign volumes are bound to ours', () => {
    expect(mutated(podWith({}), [unbound('fast'), foreign(true)]).scheduler).to.equal(
      'berth-scheduler',
    );
  });

  it('warns of a pod that chose ours and waits for a foreign volume', () => {
    const pod = podWith({ schedulerName: 'berth-scheduler' });

    const { warnings } = mutated(pod, [unbound('fast'), foreign(false)]);

    expect(warnings.join()).to.match(/berth-scheduler provides no volumes of other provisioners/);
  });

  it('routes by the claims it knows, and warns of the one it does not', () => {
    const unknown: ClaimFacts = { claim: 'new', kind: 'unknown', reason: 'it does not exist' };

    const alone = mutated(podWith({}), [unknown]);
    const mixed = mutated(podWith({}), [unknown, unbound('fast')]);

    expect(alone.patch).to.deep.equal([]);
    expect(alone.warnings).to.have.length(1);
    expect(alone.warnings[0]).to.contain('new');
    expect(mixed.scheduler).to.equal('berth-scheduler');
    expect(mixed.warnings).to.have.length(1);
  });

  it('routes but does not pin a pod whose class is mistaken or whose volume is lost', () => {
    const claims: ClaimFacts[] = [
      { claim: 'a', kind: 'mistaken', reason: 'StorageClass c: pool is ""' },
      { claim: 'b', kind: 'lost', volume: 'pvc-9', reason: 'does not exist' },
    ];

    const { scheduler, terms, warnings } = mutated(podWith({}), claims);

    expect(scheduler).to.equal('berth-scheduler');
    expect(terms).to.equal(undefined);
    expect(warnings.join('\n')).to.match(/StorageClass c[^]*pvc-9/);
  });
});

describe('mutatePod with spec.nodeName', () => {
  const pod = podWith({ nodeName: 'n1' });

  it('adds nothing for what is still to be made', () => {
    const how = { ...routing, wiredSchedulers: ['default-scheduler'] };

    expect(mutated(pod, [unbound('fast')], how).patch).to.deep.equal([]);
  });

  it('still demands the place of a bound volume, which kubelet checks', () => {
    const { terms, scheduler } = mutated(pod, [boundTo('n2')]);

    expect(terms).to.deep.equal([hostname('n2')]);
    expect(scheduler).to.equal('default-scheduler');
  });
});

describe('mutatePod names the routing resource', () => {
  const wired = { ...routing, wiredSchedulers: ['berth-scheduler'] };
  const name = 'berth.dev/volume';
  const resourcesOf = (pod: { spec: Record<string, unknown> }, i = 0): unknown =>
    (pod.spec['containers'] as { resources?: unknown }[])[i]?.resources;

  it('only where the chosen scheduler is wired', () => {
    expect(resourcesOf(mutated(podWith({}), [unbound('fast')]).pod)).to.equal(undefined);
    expect(resourcesOf(mutated(podWith({}), [unbound('fast')], wired).pod)).to.deep.equal({
      requests: { [name]: '1' },
      limits: { [name]: '1' },
    });
  });

  it('beside what the container asks for already', () => {
    const containers = [{ resources: { requests: { cpu: '1' } } }, {}];

    const { pod } = mutated(podWith({ containers }), [unbound('fast')], wired);

    expect(resourcesOf(pod)).to.deep.equal({
      requests: { cpu: '1', [name]: '1' },
      limits: { [name]: '1' },
    });
    expect(resourcesOf(pod, 1)).to.equal(undefined);
  });

  it('not when any container or init container names it', () => {
    const resources = { limits: { [name]: '1' } };
    const pods = [
      podWith({ containers: [{}, { resources }] }),
      podWith({ initContainers: [{ resources }] }),
    ];

    for (const pod of pods) {
      const { patch } = mutated(pod, [unbound('fast')], wired);
      expect(patch.map(({ path }) => path).join()).to.not.contain('resources');
    }
  });
});

describe('mutatePod pins', () => {
  it('to the pools of all claims, each demanded once', () => {
    const claims = [unbound('fast'), unbound('big'), unbound('fast')];

    const { terms, pools } = mutated(podWith({}), claims);

    expect(terms).to.deep.equal([{ matchExpressions: [exists('fast'), exists('big')] }]);
    expect(pools).to.deep.equal(['fast', 'big']);
  });

  it("to a bound volume's own terms, word for word", () => {
    const own: NodeTerm = {
      matchExpressions: [{ key: 'x/y', operator: 'Gt', values: ['3'] }],
      matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }],
    };
    const claim: ClaimFacts = { claim: 'd', kind: 'bound', volume: 'v', terms: [own] };

    expect(mutated(podWith({}), [claim]).terms).to.deep.equal([own]);
  });

  it('to a bound volume and to the pool of an unbound one', () => {
    const { terms } = mutated(podWith({}), [unbound('fast'), boundTo('n1')]);

    expect(terms).to.deep.equal([
      { matchExpressions: [exists('fast'), ...(hostname('n1').matchExpressions ?? [])] },
    ]);
  });

  it('in every alternative of the user', () => {
    const a = { matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] };
    const b = { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n7'] }] };

    const { terms } = mutated(podWithTerms([a, b]), [unbound('fast')]);

    expect(terms).to.deep.equal([
      { matchExpressions: [...a.matchExpressions, exists('fast')] },
      { ...b, matchExpressions: [exists('fast')] },
    ]);
  });

  it("as the product of the user's alternatives and the volume's", () => {
    const user = ['a', 'b'].map((zone) => ({
      matchExpressions: [{ key: 'zone', operator: 'In', values: [zone] }],
    }));

    const { terms = [] } = mutated(podWithTerms(user), [boundTo('n1', 'n2')]);

    expect(terms.map((t) => t.matchExpressions?.map((e) => e.values?.[0]).join('+'))).to.deep.equal(
      ['a+n1', 'a+n2', 'b+n1', 'b+n2'],
    );
  });

  it('takes a wider rule on the same label for another one', () => {
    const key = 'kubernetes.io/hostname';
    const both = { matchExpressions: [{ key, operator: 'In', values: ['n1', 'n2'] }] };

    const { terms } = mutated(podWithTerms([both]), [boundTo('n1')]);

    expect(terms?.[0]?.matchExpressions).to.have.length(2);
  });

  it('leaves an empty alternative empty, since it matches nothing', () => {
    const zone = { matchExpressions: [{ key: 'zone', operator: 'Exists' }] };

    const { terms } = mutated(podWithTerms([{}, zone]), [unbound('fast')]);

    expect(terms).to.deep.equal([
      {},
      { matchExpressions: [...zone.matchExpressions, exists('fast')] },
    ]);
  });

  it('leaves a pod that matches no node so, and says it', () => {
    const { pod, warnings, scheduler } = mutated(podWithTerms([{}, {}]), [unbound('fast')]);

    expect(termsOf(pod)).to.deep.equal([{}, {}]);
    expect(warnings.join()).to.contain('matches no node');
    expect(scheduler).to.equal('berth-scheduler');
  });

  it('says when a volume can be used nowhere', () => {
    const claim: ClaimFacts = { claim: 'd', kind: 'bound', volume: 'v', terms: [{}] };

    const { terms, warnings } = mutated(podWith({}), [claim]);

    expect(terms).to.equal(undefined);
    expect(warnings.join()).to.contain('matches no node');
  });

  it('keeps everything else of the affinity', () => {
    const preferred = { preferredDuringSchedulingIgnoredDuringExecution: [] };
    const podAffinity = { podAffinity: { x: 1 } };
    const pods = [
      { affinity: podAffinity },
      { affinity: { ...podAffinity, nodeAffinity: preferred } },
    ];

    for (const spec of pods) {
      const { pod } = mutated(podWith(spec), [unbound('fast')]);
      expect(pod.spec['affinity']).to.deep.include(podAffinity);
    }
    const { pod } = mutated(podWith(pods[1] ?? {}), [unbound('fast')]);
    expect(pod.spec['affinity'])
      .to.have.nested.property('nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution')
      .that.deep.equals([]);
    expect(pod.spec['affinity']).to.have.nested.property(`nodeAffinity.${required}`);
  });

  it(`stops at ${maxTerms} terms and says what was left out, whichever order the claims have`, () => {
    const nine = boundTo(...Array.from({ length: 9 }, (_, i) => `n${i}`));
    const eight = boundTo(...Array.from({ length: 8 }, (_, i) => `m${i}`));

    const { terms = [], warnings } = mutated(podWith({}), [nine, eight, unbound('fast')]);

    expect(terms).to.have.length(9);
    expect(
      terms.every((t) => t.matchExpressions?.some(({ key }) => key.includes('fast'))),
    ).to.equal(true);
    expect(warnings.join()).to.contain('1 volume(s)');
  });

  it('adds to as many terms as a user wrote, since their number does not grow', () => {
    const many = Array.from({ length: 200 }, (_, i) => hostname(`n${i}`));

    const { terms = [], warnings } = mutated(podWithTerms(many), [unbound('fast')]);

    expect(terms).to.have.length(200);
    expect(warnings).to.deep.equal([]);
  });
});

describe('mutatePod, for any pod and claims', () => {
  const key = fc.constantFrom('zone', 'kubernetes.io/hostname', 'pool.berth.dev/fast');
  const value = fc.constantFrom('a', 'b', 'c');
  const expression = fc.oneof(
    fc.record({ key, operator: fc.constantFrom('Exists', 'DoesNotExist') }),
    fc.record({
      key,
      operator: fc.constantFrom('In', 'NotIn'),
      values: fc.uniqueArray(value, { minLength: 1, maxLength: 2 }),
    }),
  );
  const field = fc.record({
    key: fc.constant('metadata.name'),
    operator: fc.constantFrom('In', 'NotIn'),
    values: fc.array(value, { minLength: 1, maxLength: 1 }),
  });
  const term = fc.record(
    {
      matchExpressions: fc.array(expression, { maxLength: 3 }),
      matchFields: fc.array(field, { maxLength: 1 }),
    },
    { requiredKeys: [] },
  );
  const terms = fc.array(term, { minLength: 1, maxLength: 4 });
  const claim: fc.Arbitrary<ClaimFacts> = fc.oneof(
    fc.constantFrom('fast', 'big').map((pool) => unbound(pool)),
    fc
      .option(terms, { nil: undefined })
      .map((own) => ({ claim: 'b', kind: 'bound' as const, volume: 'v', terms: own })),
    fc.boolean().map((bound) => foreign(bound)),
  );
  const node: fc.Arbitrary<TestNode> = fc.record({
    name: value,
    labels: fc.dictionary(key, value, { maxKeys: 3 }),
  });
  const pod = fc
    .record({
      terms: fc.option(terms, { nil: undefined }),
      schedulerName: fc.constantFrom('', 'default-scheduler', 'mine', 'berth-scheduler'),
      nodeName: fc.constantFrom('', '', '', 'a'),
    })
    .map(({ terms: own, ...rest }) => ({
      spec: { containers: [{}], ...(own ? podWithTerms(own).spec : {}), ...rest },
    }));
  const wired = { ...routing, wiredSchedulers: ['berth-scheduler', 'mine'] };

  it('changes nothing the second time', () => {
    fc.assert(
      fc.property(pod, fc.array(claim, { maxLength: 4 }), (given, claims) => {
        const once = mutated(given, claims, wired);
        const twice = mutated(once.pod, claims, wired);
        expect(twice.patch).to.deep.equal([]);
      }),
      { numRuns: 1000 },
    );
  });

  it('admits no node that the pod did not admit itself', () => {
    fc.assert(
      fc.property(pod, fc.array(claim, { maxLength: 4 }), node, (given, claims, where) => {
        const before = admits(termsOf(given), where);
        const after = admits(mutated(given, claims).terms, where);
        expect(after && !before).to.equal(false);
      }),
      { numRuns: 3000 },
    );
  });

  it('admits exactly the nodes that satisfy the pod and each of its claims', () => {
    fc.assert(
      fc.property(pod, fc.array(claim, { maxLength: 3 }), node, (given, claims, where) => {
        const { warnings, terms: after } = mutated(given, claims);
        // Each way in which not all is demanded has its warning.
        fc.pre(!warnings.some((text) => /matches no node|left out/.test(text)));
        const pinned = schedulingOf(given).nodeName !== '';
        const wanted = claims.every((one) => {
          if (one.kind === 'bound') {
            return admits(one.terms, where);
          }
          return one.kind !== 'unbound' || pinned || `pool.berth.dev/${one.pool}` in where.labels;
        });
        expect(admits(after, where)).to.equal(admits(termsOf(given), where) && wanted);
      }),
      { numRuns: 3000 },
    );
  });
});
