import { expect } from 'chai';
import { catalogOfClasses, type OfferedClass } from '../../../src/config/broker-class-catalog.ts';
import { parseCatalog } from '../../../src/config/broker-catalog.ts';
import { bytes, GiB } from '../../../src/model/bytes.ts';
import { catalogOf } from '../../support/broker/served.ts';

const plan = 'id: p, name: n, description: d, storageClass: fast, size: 1Gi';

function withPlan(text: string): string {
  return `services:\n- {id: s, name: s, description: d, plans: [{${text}}]}`;
}

function mistakesOf(text: string): readonly string[] {
  const read = parseCatalog(text);
  return read.ok ? [] : read.error;
}

describe('parseCatalog', () => {
  it('fills in what a plan leaves out', () => {
    const [service] = catalogOf(withPlan(plan)).services;
    expect(service?.plans).to.deep.equal([
      {
        ...{ id: 'p', name: 'n', description: 'd', free: true, storageClass: 'fast' },
        size: { kind: 'fixed', bytes: GiB },
        count: { least: 1, most: 1, usual: 1 },
        ...{ spread: 'nodes', volumeMode: 'Filesystem', placement: {} },
        ...{ placeholder: 'go', inUse: 'refuse', retainMs: 0, patienceMs: 600_000 },
      },
    ]);
  });

  it('reads everything that a plan may say', () => {
    const text = `
services:
- id: s
  name: s
  description: d
  tags: [a, b]
  metadata: {displayName: S}
  plans:
  - ${plan.replaceAll(', ', '\n    ').replace('size: 1Gi', 'size: {least: 1Gi, most: 4Gi, usual: 2Gi}')}
    free: false
    metadata: {bullets: [x]}
    count: {least: 1, most: 5, usual: 3}
    spread: zones
    volumeMode: Block
    fsType: xfs
    cpu: 2
    memory: 4Gi
    nodeSelector: {disk: fast}
    tolerations: [{key: only, operator: Exists}]
    affinity: {podAntiAffinity: {}}
    placeholder: keep
    inUse: wait
    retain: 7d
    quota: 3
    patience: 90s
    maximumPollingDuration: 1h
    maintenance: {version: 1.2.3-rc.1+b, description: better}
    updatableTo: [m]
  - {id: q, name: m, description: d, storageClass: fast, size: 1Gi}
`;
    const [service] = catalogOf(text).services;
    expect(service).to.deep.include({ tags: ['a', 'b'], metadata: { displayName: 'S' } });
    expect(service?.plans[0]).to.deep.include({
      size: { kind: 'range', least: GiB, most: 4 * GiB, usual: 2 * GiB },
      count: { least: 1, most: 5, usual: 3 },
      ...{ free: false, spread: 'zones', volumeMode: 'Block', fsType: 'xfs' },
      ...{ cpu: '2', memory: '4Gi', placeholder: 'keep', inUse: 'wait', quota: 3 },
      placement: {
        nodeSelector: { disk: 'fast' },
        tolerations: [{ key: 'only', operator: 'Exists' }],
        affinity: { podAntiAffinity: {} },
      },
      ...{ retainMs: 7 * 86_400_000, patienceMs: 90_000, maximumPollingSeconds: 3600 },
      maintenance: { version: '1.2.3-rc.1+b', description: 'better' },
      updatableTo: ['q'],
    });
  });

  it('reads JSON as well', () => {
    const { services } = catalogOf(withPlan(plan));
    const { id, name, description } = services[0] ?? {};
    const plans = [{ id: 'p', name: 'n', description: 'd', storageClass: 'fast', size: '1Gi' }];
    const text = JSON.stringify({ services: [{ id, name, description, plans }] });
    expect(catalogOf(text).services).to.deep.equal(services);
  });

  const at = 'services[0].plans[0]';
  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ['no YAML', 'services: [', /no YAML/],
    ['a name that is there twice', 'services: []\nservices: []', /no YAML/],
    ['a text', 'hello', /the file is "hello": an object/],
    ['no services', '{}', /services is missing/],
    ['services that are no list', 'services: {}', /services is {}: a list/],
    ['something unknown beside services', 'services: []\nplans: []', /plans is not known/],
    ['no plans', 'services: [{id: s, name: s, description: d}]', /services\[0\]\.plans/],
    ['something unknown in a plan', withPlan(`${plan}, colour: red`), /plans\[0\]\.colour is not/],
    ['an id of other characters', withPlan(plan.replace('id: p', 'id: a b')), /\.id is "a b"/],
    ['a name with blanks', withPlan(plan.replace('name: n', 'name: a b')), /\.name is "a b"/],
    ['no description', withPlan(plan.replace('description: d, ', '')), /\.description is missing/],
    ['no class', withPlan(plan.replace('storageClass: fast, ', '')), /storageClass is missing/],
    ['no size', withPlan(plan.replace(', size: 1Gi', '')), /\.size is missing: a size/],
    ['a size of nothing', withPlan(plan.replace('1Gi', '0')), /\.size is 0/],
    ['a range without its end', withPlan(plan.replace('1Gi', '{least: 1Gi}')), /size\.most/],
    ['a range upside down', withPlan(plan.replace('1Gi', '{least: 2Gi, most: 1Gi}')), /least must/],
    ['no volumes', withPlan(`${plan}, count: 0`), /\.count is 0: a whole number/],
    [
      'a part of a volume',
      withPlan(`${plan}, count: {least: 1, most: 1.5}`),
      /count\.most is 1\.5/,
    ],
    ['another spread', withPlan(`${plan}, spread: racks`), /spread is "racks": allowed are none/],
    ['another mode', withPlan(`${plan}, volumeMode: Tape`), /volumeMode is "Tape"/],
    ['another filesystem', withPlan(`${plan}, fsType: ntfs`), /fsType is "ntfs"/],
    ['cpu that is none', withPlan(`${plan}, cpu: many`), /cpu is "many": a quantity/],
    ['memory below 0', withPlan(`${plan}, memory: -1`), /memory is -1/],
    ['a selector that is none', withPlan(`${plan}, nodeSelector: {a: 1}`), /nodeSelector/],
    ['an affinity that is none', withPlan(`${plan}, affinity: {x: {}}`), /affinity is/],
    ['free that is a text', withPlan(`${plan}, free: often`), /free is "often": true or false/],
    ['another rule', withPlan(`${plan}, inUse: force`), /inUse is "force"/],
    ['a time that is none', withPlan(`${plan}, retain: long`), /retain is "long": a duration/],
    ['half an instance', withPlan(`${plan}, quota: 0.5`), /quota is 0\.5/],
    ['a version that is none', withPlan(`${plan}, maintenance: {version: v1}`), /version is "v1"/],
    ['a way to nowhere', withPlan(`${plan}, updatableTo: [x]`), /updatableTo is.*no plan/],
    ['tags that are numbers', `services: [{tags: [1]}]`, /tags is \[1\]/],
    ['a plan that is a text', 'services: [{plans: [x]}]', /plans\[0\] is "x": an object/],
  ];
  for (const [what, text, expected] of wrong) {
    it(`refuses ${what}`, () => {
      expect(mistakesOf(text).join('\n')).to.match(expected);
    });
  }

  it('names every mistake at once', () => {
    const text = withPlan('id: p, name: n, description: d, storageClass: fast, size: x, count: 0');
    expect(mistakesOf(text)).to.have.length(2);
    expect(mistakesOf(text).every((one) => one.startsWith(at))).to.equal(true);
  });

  it('refuses ids and names that are there twice', () => {
    const twice = (one: string, other: string): readonly string[] =>
      mistakesOf(`services:\n- {id: s, name: s, description: d, plans: [{${one}}, {${other}}]}`);
    expect(twice(plan, plan).join('\n')).to.match(/id "p".*\n.*name of a plan in s "n"/);
    expect(
      twice(plan, plan.replace('id: p', 'id: s').replace('name: n', 'name: m')),
    ).to.have.length(1);
    expect(
      twice(plan, plan.replace('id: p', 'id: q').replace('name: n', 'name: m')),
    ).to.have.length(0);
  });
});

describe('catalogOfClasses', () => {
  const rules = { serviceName: 'berth', leastSize: bytes(GiB), mostSize: bytes(10 * GiB) };
  const offered = (name: string, more: Partial<OfferedClass> = {}): OfferedClass => ({
    ...{ name, provisioner: 'local.berth.dev', parameters: { pool: 'fast', fsType: 'xfs' } },
    ...more,
  });

  it('has a plan for each class of ours that can be used', () => {
    const others = [
      offered('other', { provisioner: 'example.com/x' }),
      offered('wrong', { parameters: {} }),
    ];
    const catalog = catalogOfClasses([offered('b'), ...others, offered('a')], rules);
    const plans = catalog.services.flatMap((service) => service.plans);
    expect(plans.map(({ name }) => name)).to.deep.equal(['a', 'b']);
    expect(plans[0]).to.include({ storageClass: 'a', fsType: 'xfs' });
    expect(plans[0]?.size).to.include({ least: GiB, most: 10 * GiB });
  });

  it('makes ids of names alone', () => {
    const idsOf = (serviceName: string, ...names: readonly string[]): readonly string[] => {
      const classes = names.map((name) => offered(name));
      const { services } = catalogOfClasses(classes, { ...rules, serviceName });
      return services.flatMap(({ id, plans }) => [id, ...plans.map((one) => one.id)]);
    };
    const [service, a, b] = idsOf('berth', 'a', 'b');
    expect(idsOf('berth', 'b')).to.deep.equal([service, b]);
    expect(a).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(idsOf('other', 'a', 'b')).not.to.include.members([a]);
  });

  it('offers nothing where there is no class', () => {
    expect(catalogOfClasses([], rules)).to.deep.equal({ services: [] });
  });
});
