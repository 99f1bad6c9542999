import { expect } from 'chai';

import {
  type ControlPlaneFacts,
  controllerManagerFlags,
  schedulerFlags,
} from '../cluster/flags.ts';
import { type KubeletFacts, kubeletConfig, kubeletFlags } from '../cluster/kubelet.ts';
import { completeConfig, defaultSchedulerConfig } from '../cluster/scheduler.ts';
import { parseVersion } from '../cluster/version.ts';

const OLD = parseVersion('Kubernetes v1.20.2');
const NEW = parseVersion('Kubernetes v1.36.2');
const pair = { cert: '/c', key: '/k' };

function planeFacts(version: typeof OLD): ControlPlaneFacts {
  return {
    version,
    dir: '/d',
    ports: { etcd: 1, etcdPeer: 2, apiserver: 3, controllerManager: 4 },
    authority: { ...pair, dir: '/p' },
    serverPair: pair,
    kubeletClient: pair,
    tokenKey: pair,
    controllerManagerKubeconfig: '/kc',
    audit: false,
    nodeMonitorGraceSeconds: 40,
    apiserverFlags: [],
    controllerManagerFlags: ['--x=1'],
  };
}

function nodeFacts(version: typeof OLD): KubeletFacts {
  return {
    version,
    node: 'n1',
    dir: '/d/n1',
    address: '198.18.0.254',
    ports: { api: 5, health: 6 },
    kubeconfig: '/kc',
    authorityCert: '/ca',
    serverPair: pair,
    runtimeEndpoint: 'unix:///c.sock',
    cgroup: 'berth-0-n1',
    labels: { a: 'b' },
  };
}

describe('the version of the binaries', () => {
  it('is read from what they print', () => {
    expect(parseVersion('Kubernetes v1.31.0-rc.1+abc\n')).to.deep.equal({
      major: 1,
      minor: 31,
      text: 'v1.31.0-rc.1+abc',
    });
  });

  it('is an error if they print something else', () => {
    expect(() => parseVersion('command not found')).to.throw(RangeError, 'command not found');
  });
});

describe('flags of the control plane', () => {
  it('shut the plain-text ports in 1.20, where they are open otherwise', () => {
    expect(controllerManagerFlags(planeFacts(OLD))).to.include('--port=0');
  });

  it('do not name the plain-text ports in 1.36, which would be an error', () => {
    expect(controllerManagerFlags(planeFacts(NEW))).not.to.include('--port=0');
  });

  it('keep the limits of Kubernetes unless told otherwise', () => {
    const limited = controllerManagerFlags({ ...planeFacts(OLD), controllerManagerQps: 200 });
    expect(controllerManagerFlags(planeFacts(OLD)).join()).not.to.contain('kube-api-qps');
    expect(limited).to.include.members(['--kube-api-qps=200', '--kube-api-burst=400', '--x=1']);
  });

  it('give a scheduler its configuration as a Policy or as a component configuration', () => {
    const facts = { version: OLD, kubeconfig: '/kc', port: 7, configFile: '/f', flags: [] };
    const policy = schedulerFlags({ ...facts, format: 'policy', leaderElect: true });
    const component = schedulerFlags({ ...facts, format: 'component', leaderElect: true });
    expect(policy).to.include.members(['--policy-config-file=/f', '--leader-elect=true']);
    expect(component).to.include('--config=/f');
    expect(component.join()).not.to.contain('policy');
  });
});

describe('a scheduler configuration', () => {
  const additions = { kubeconfig: '/kc', leaderElect: false, plainPort: 9 };

  it('is written in the version that the binary reads', () => {
    expect(defaultSchedulerConfig(OLD)).to.contain('kubescheduler.config.k8s.io/v1beta1\n');
    expect(defaultSchedulerConfig(NEW)).to.contain('kubescheduler.config.k8s.io/v1\n');
  });

  it('gets the kubeconfig, and listens on no fixed port', () => {
    const text = completeConfig(defaultSchedulerConfig(OLD), additions);
    expect(text).to.contain('kubeconfig: /kc').and.to.contain('leaderElect: false');
    expect(text).to.contain('healthzBindAddress: 127.0.0.1:9');
  });

  it('keeps what it says itself', () => {
    const own = `${defaultSchedulerConfig(NEW)}clientConnection: {kubeconfig: "@KUBECONFIG@.own", qps: 7}\n`;
    const text = completeConfig(own, additions);
    expect(text).to.contain('kubeconfig: /kc.own').and.to.contain('qps: 7');
    expect(text).not.to.contain('healthzBindAddress');
  });
});

describe('flags of a kubelet', () => {
  it('name the runtime on the command line in 1.20', () => {
    const flags = kubeletFlags(nodeFacts(OLD), '/f');
    expect(flags).to.include('--container-runtime=remote');
    expect(flags).to.include('--container-runtime-endpoint=unix:///c.sock');
    expect(kubeletConfig(nodeFacts(OLD))).not.to.have.property('containerRuntimeEndpoint');
    expect(kubeletConfig(nodeFacts(OLD))).not.to.have.property('failCgroupV1');
  });

  it('name it in the configuration file in 1.36, where the flags are errors', () => {
    expect(kubeletFlags(nodeFacts(NEW), '/f').join()).not.to.contain('container-runtime');
    expect(kubeletConfig(nodeFacts(NEW))).to.include({
      containerRuntimeEndpoint: 'unix:///c.sock',
      failCgroupV1: false,
    });
  });
});
