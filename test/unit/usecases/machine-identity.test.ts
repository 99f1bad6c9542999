import { expect } from 'chai';
import { bytes } from '../../../src/model/bytes.ts';
import type { LocalVolume } from '../../../src/model/volume.ts';
import { MachineIdentity } from '../../../src/usecases/machine-identity.ts';
import { aClaim, aVolume } from '../../support/facts.ts';

function made(name: string): LocalVolume {
  const status = { phase: 'Ready' as const, allocatedBytes: bytes(10) };
  return aVolume(aClaim(name, 10), 'n1', { uid: name, status });
}

describe('MachineIdentity', () => {
  let volumes: LocalVolume[];
  let machine: MachineIdentity;
  beforeEach(() => {
    volumes = [made('a'), made('b'), aVolume(aClaim('new', 10), 'n1', { uid: 'new' })];
    machine = new MachineIdentity({ list: () => volumes });
  });

  for (const [id, recorded] of [
    ['m1', 'm1'],
    ['m1', ''],
    ['m1', undefined],
    ['', 'm1'],
    ['', ''],
  ] as const) {
    it(`sees no other machine in "${id}" after ${JSON.stringify(recorded) ?? 'nothing'}`, () => {
      expect(machine.compare(id, recorded)).to.equal(undefined);
      expect(machine.lossOf('a')).to.equal(undefined);
      expect(machine.idToRecord).to.equal(id === '' ? undefined : id);
    });
  }

  it('says which machine was replaced by which, and how much was made on it', () => {
    expect(machine.compare('m2', 'm1')).to.equal(
      'the machine was replaced, or installed anew (machine id m1 before, m2 now). 2 volumes were ' +
        'made on it: those that are not on its disks now are lost',
    );
    expect(machine.lossOf('a')).to.contain('machine id m1 before, m2 now');
    expect(machine.lossOf('new')).to.equal(undefined);
  });

  it('has its own id written down only when every volume is found, lost or gone', () => {
    volumes.push(made('c'));
    machine.compare('m2', 'm1');

    expect(machine.idToRecord).to.equal(undefined);
    machine.found('a');
    machine.calledLost('b');
    expect(machine.idToRecord).to.equal(undefined);
    volumes.pop();
    expect(machine.idToRecord).to.equal('m2');
    expect(machine.lossOf('a')).to.equal(undefined);
    expect(machine.lossOf('b')).to.be.a('string');
  });
});
