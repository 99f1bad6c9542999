import { instanceStore } from '../../src/kube/broker-instances.ts';
import { openCluster } from '../../src/kube/client.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { describeContract } from '../support/broker/contract.ts';
import { serveBroker, type Served } from '../support/broker/served.ts';
import { Installation } from '../support/installation.ts';

describe('the contract of the service broker, with instances in a real API server', function () {
  this.timeout(60_000);
  const stopping = new AbortController();
  let cluster: Cluster;
  let served: Served;

  before(async function () {
    this.timeout(900_000);
    cluster = await startCluster();
    await Installation.on(cluster);
    const store = instanceStore(openCluster(cluster.kubeconfig).api);
    served = await serveBroker(store, stopping.signal);
  });
  after(async () => {
    stopping.abort();
    await cluster.stop();
  });

  describeContract(() => served.platform);
});
