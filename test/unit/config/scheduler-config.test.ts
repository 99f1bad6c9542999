import { expect } from 'chai';
import {
  configApi,
  newestMinor,
  oldestMinor,
  schedulerFile,
  type SchedulerWiring,
} from '../../../src/config/scheduler-config.ts';

const usual: SchedulerWiring = {
  minor: 20,
  format: 'auto',
  mode: 'own',
  extenderUrl: 'http://127.0.0.1:10270',
  kubeconfig: '',
  leaderElect: false,
  schedulerName: 'berth-scheduler',
  plainAddress: '',
};

type Plugins = Record<string, { disabled: { name: string }[] }>;
interface Content {
  apiVersion: string;
  kind: string;
  clientConnection?: { kubeconfig: string };
  leaderElection?: Record<string, unknown>;
  healthzBindAddress?: string;
  metricsBindAddress?: string;
  percentageOfNodesToScore?: number;
  profiles: { schedulerName: string; percentageOfNodesToScore?: number; plugins?: Plugins }[];
  predicates?: { name: string }[];
  extenders: [Record<string, unknown>];
}

function made(change: Partial<SchedulerWiring>): Content {
  const file = schedulerFile({ ...usual, ...change });
  if (!file.ok) {
    throw new Error(file.error);
  }
  return file.value.content as unknown as Content;
}

const minors = Array.from({ length: newestMinor - oldestMinor + 1 }, (_, i) => oldestMinor + i);

describe('the configuration of kube-scheduler', () => {
  // First and last version that serves each API, and the first that calls it deprecated.
  const life = {
    v1beta1: { from: 19, to: 22, deprecated: 22 },
    v1beta2: { from: 22, to: 27, deprecated: 23 },
    v1beta3: { from: 23, to: 28, deprecated: 25 },
    v1: { from: 25, to: Infinity, deprecated: Infinity },
  };

  for (const minor of minors) {
    it(`uses an API that 1.${minor} serves and does not call deprecated`, () => {
      const { from, to, deprecated } = life[configApi(minor)];

      expect(minor).to.be.within(from, to);
      expect(minor).to.be.below(deprecated);
      expect(made({ minor }).apiVersion).to.equal(
        `kubescheduler.config.k8s.io/${configApi(minor)}`,
      );
    });

    for (const mode of ['own', 'shared'] as const) {
      it(`switches VolumeBinding off for Berth's pods of 1.${minor} (${mode})`, () => {
        const { profiles } = made({ minor, mode });

        const ours = profiles.find(({ schedulerName }) => schedulerName === 'berth-scheduler');

        const points = Object.keys(ours?.plugins ?? {});
        expect(points).to.include.members(
          minor < 23 ? ['preFilter', 'filter', 'score', 'reserve', 'preBind'] : ['multiPoint'],
        );
        const { postFilter, ...others } = ours?.plugins ?? {};
        for (const { disabled } of Object.values(others)) {
          expect(disabled).to.deep.equal([{ name: 'VolumeBinding' }]);
        }
        // Up to 1.21 kube-scheduler preempts without asking the extender.
        expect(postFilter).to.deep.equal(
          minor < 22 ? { disabled: [{ name: 'DefaultPreemption' }] } : undefined,
        );
      });

      it(`never lets 1.${minor} sample nodes or skip the extender (${mode})`, () => {
        const content = made({ minor, mode });
        const ours = content.profiles.at(-1);
        const [extender] = content.extenders;

        expect(content.percentageOfNodesToScore ?? ours?.percentageOfNodesToScore).to.equal(100);
        expect(extender).to.include({
          filterVerb: 'filter',
          prioritizeVerb: 'prioritize',
          bindVerb: 'bind',
          preemptVerb: 'preempt',
          weight: 10,
          nodeCacheCapable: true,
          ignorable: false,
          enableHTTPS: false,
          httpTimeout: '30s',
        });
      });
    }
  }

  it('serves one scheduler name and every pod of it with a scheduler of our own', () => {
    const { profiles, extenders } = made({ schedulerName: 'disks' });

    expect(profiles.map(({ schedulerName }) => schedulerName)).to.deep.equal(['disks']);
    expect(extenders[0]).not.to.have.property('managedResources');
  });

  it('leaves pods of others alone in the scheduler of the cluster', () => {
    const { profiles, extenders, percentageOfNodesToScore } = made({ minor: 31, mode: 'shared' });

    expect(profiles[0]).to.deep.equal({ schedulerName: 'default-scheduler' });
    expect(percentageOfNodesToScore).to.equal(undefined);
    expect(extenders[0]['managedResources']).to.deep.equal([
      { name: 'berth.dev/volume', ignoredByScheduler: true },
    ]);
  });

  it('gives a profile its own percentage only where the version knows that field', () => {
    const old = made({ minor: 25, mode: 'shared' });
    const young = made({ minor: 26, mode: 'shared' });

    expect(old.percentageOfNodesToScore).to.equal(100);
    expect(old.profiles[1]).not.to.have.property('percentageOfNodesToScore');
    expect(young.profiles[1]).to.have.property('percentageOfNodesToScore', 100);
  });

  it('elects over a Lease of our own only where asked, and leaves a shared election alone', () => {
    expect(made({}).leaderElection).to.deep.equal({ leaderElect: false });
    expect(made({ leaderElect: true }).leaderElection).to.deep.equal({
      leaderElect: true,
      resourceLock: 'leases',
      resourceNamespace: 'berth-system',
      resourceName: 'berth-scheduler',
    });
    expect(made({ leaderElect: true, mode: 'shared' })).not.to.have.property('leaderElection');
  });

  it('names a kubeconfig only where there is one', () => {
    expect(made({})).not.to.have.property('clientConnection');
    expect(made({ kubeconfig: '/k' }).clientConnection).to.deep.equal({ kubeconfig: '/k' });
  });
});

describe('the port without TLS', () => {
  const plainAddress = '127.0.0.1:10251';

  it('moves to the address that is given, where the version has such a port', () => {
    for (const minor of [20, 21, 22]) {
      expect(made({ minor, plainAddress })).to.include({
        healthzBindAddress: plainAddress,
        metricsBindAddress: plainAddress,
      });
    }
  });

  it('is not mentioned where it is gone, since the file would be refused', () => {
    expect(made({ minor: 23, plainAddress })).not.to.have.property('healthzBindAddress');
  });
});

describe('the Policy file', () => {
  it('lists the usual predicates without CheckVolumeBinding for a scheduler of our own', () => {
    const { kind, apiVersion, predicates = [] } = made({ format: 'policy' });
    const names = predicates.map(({ name }) => name);

    expect({ kind, apiVersion }).to.deep.equal({ kind: 'Policy', apiVersion: 'v1' });
    expect(names).to.include.members(['GeneralPredicates', 'MatchInterPodAffinity']);
    expect(names).to.have.length(11).and.not.to.include('CheckVolumeBinding');
  });

  it('keeps the usual predicates, and that one, for a scheduler that others use too', () => {
    expect(made({ format: 'policy', mode: 'shared' })).not.to.have.property('predicates');
  });

  it('writes the two fields that have another form there', () => {
    const [extender] = made({ format: 'policy', minor: 22 }).extenders;

    expect(extender).to.include({ enableHttps: false, httpTimeout: 30_000_000_000 });
    expect(extender).not.to.have.property('enableHTTPS');
  });

  it('says by flags what the file cannot say', () => {
    const file = schedulerFile({ ...usual, format: 'policy', leaderElect: true, kubeconfig: '/k' });

    expect(file.ok && file.value.flags).to.deep.equal([
      '--policy-config-file=<this file>',
      '--port=0',
      '--kubeconfig=/k',
      '--scheduler-name=berth-scheduler',
      '--leader-elect=true',
      '--leader-elect-resource-namespace=berth-system',
      '--leader-elect-resource-name=berth-scheduler',
    ]);
  });

  it('is refused from 1.23 on, with what is allowed', () => {
    const file = schedulerFile({ ...usual, format: 'policy', minor: 23 });

    expect(file).to.deep.equal({
      ok: false,
      error:
        'Kubernetes 1.23 reads no Policy file, 1.22 was the last that did: allowed are auto and component',
    });
  });
});
