import { expect } from 'chai';
import { contractSize, describeContract } from '../../support/broker/contract.ts';
import { memoryStore } from '../../support/broker/memory-store.ts';
import { serveBroker, type Served } from '../../support/broker/served.ts';

describe('the contract of the service broker', () => {
  const stopping = new AbortController();
  let served: Served;

  before(async () => {
    served = await serveBroker(memoryStore(), stopping.signal);
  });
  after(() => stopping.abort());

  it('has a case for each row of the specification', () => {
    expect(contractSize()).to.be.at.least(120);
  });
  describeContract(() => served.platform);
});
