import { expect } from 'chai';
import { MiB } from '../../src/model/bytes.ts';
import { Simulation } from './simulation.ts';
import { View } from './cluster-objects.ts';
import { perform } from './user.ts';

const noFaults = { call: 0, death: 0, watch: 0, disk: 0 };

describe('What histories have found once', () => {
  it('provisions the claim that a scheduler has chosen a node for, also where its pod is heard of last', async () => {
    const simulation = new Simulation({ seed: 1, faults: noFaults, schedulers: 1 });
    const { world, server } = simulation;
    simulation.lateMs = (process, resource) =>
      process.startsWith('control') && resource === 'pods' ? 10_000 : 0;
    await world.run(world.now + 10_000);

    perform(simulation, { do: 'make pod', pod: 0, claims: [0], way: 'other scheduler', node: 0 });
    await world.run(world.now + 60_000);

    expect(new View(server).pods().map(({ status }) => status?.phase)).to.deep.equal(['Running']);
  });

  it('makes a PersistentVolume again that was deleted before its claim was bound to it', async () => {
    const simulation = new Simulation({ seed: 1, faults: noFaults, schedulers: 1 });
    const { world, server } = simulation;
    const now = new View(server);
    await world.run(world.now + 10_000);

    perform(simulation, { do: 'make pod', pod: 0, claims: [0], way: 'extender', node: 0 });
    await world.run(world.now + 60_000, () => now.persistentVolumes().length > 0);
    const [first] = now.persistentVolumes();
    perform(simulation, { do: 'delete persistent volume', which: 0 });
    await world.run(world.now + 60_000);

    expect(first?.status?.phase).to.equal('Pending');
    expect(now.pods().map(({ status }) => status?.phase)).to.deep.equal(['Running']);
    expect(now.persistentVolumes()[0]?.metadata.uid).not.to.equal(first?.metadata.uid);
  });

  it('grows a claim that asked for more before news of its PersistentVolume came', async () => {
    const simulation = new Simulation({ seed: 1, faults: noFaults, schedulers: 1 });
    const { world, server } = simulation;
    simulation.lateMs = (process, resource) =>
      process.startsWith('control') && resource === 'persistentvolumes' ? 10_000 : 0;
    const now = new View(server);
    const isBound = () => now.claims().some(({ status }) => status?.phase === 'Bound');
    await world.run(world.now + 10_000);

    perform(simulation, { do: 'make pod', pod: 0, claims: [0], way: 'extender', node: 0 });
    await world.run(world.now + 60_000, isBound);
    perform(simulation, { do: 'grow claim', which: 0, mebibytes: 2 });
    await world.run(world.now + 60_000);

    expect(now.claim('c0')?.status?.capacity?.['storage']).to.equal('32Mi');
  });

  it('grows a claim that was refused while another one’s growth was not in a report yet', async () => {
    const simulation = new Simulation({ seed: 1, faults: noFaults, schedulers: 1 });
    const { world, server } = simulation;
    simulation.lateMs = (process, resource) =>
      process.startsWith('control') && resource === 'nodes' ? 700 : 0;
    const now = new View(server);
    const sizeOf = (claim: string) => now.claim(claim)?.status?.capacity?.['storage'];
    await world.run(world.now + 20_000);

    perform(simulation, { do: 'make pod', pod: 0, claims: [3, 4], way: 'extender', node: 0 });
    await world.run(world.now + 60_000);
    perform(simulation, { do: 'grow claim', which: 0, mebibytes: 8 });
    const hasGrown = () =>
      now
        .volumes()
        .some(({ spec, status }) => spec.claimRef.name === 'c3' && status?.bytes === 20 * MiB);
    await world.run(world.now + 60_000, () => hasGrown());
    perform(simulation, { do: 'grow claim', which: 1, mebibytes: 20 });
    await world.run(world.now + 60_000);

    expect(sizeOf('c4')).to.equal('40Mi');
  });
});
