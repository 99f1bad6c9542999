import { expect } from 'chai';
import { judgeLvm } from '../../../src/model/lvm-state.ts';

const judged = (layout: string, status: string, needsCheck = false, metadataUsed?: number) =>
  judgeLvm({ name: 'data/db', layout, status, needsCheck, metadataUsed });

describe('what LVM says of a volume', () => {
  it('is nothing while it is well', () => {
    expect(judged('linear', '')).to.equal(undefined);
    expect(judged('raid,raid1', 'writemostly')).to.equal(undefined);
  });

  it('is failing when data is missing, and degraded when only a copy is', () => {
    expect(judged('linear', 'partial')?.reason).to.equal('LvmFailed');
    expect(judged('striped', 'partial')?.reason).to.equal('LvmFailed');
    expect(judged('raid,raid0', 'partial')?.reason).to.equal('LvmFailed');
    for (const layout of ['raid,raid1', 'raid,raid5,raid5_ls', 'raid,raid10', 'mirror']) {
      expect(judged(layout, 'partial')?.reason, layout).to.equal('LvmDegraded');
    }
    for (const status of ['refresh needed', 'mismatches exist', 'something of a newer LVM']) {
      expect(judged('raid,raid1', status)?.reason, status).to.equal('LvmDegraded');
    }
  });

  it('is trouble also where LVM sees none: while it leads to a disk that is gone', () => {
    const leading = (layout: string, status = '', there: readonly string[] = ['sdd']) =>
      judgeLvm({
        ...{ name: 'data/db', layout, status, needsCheck: false },
        leads: { lost: ['sdc'], there },
      });
    expect(leading('linear')?.reason).to.equal('LvmFailed');
    expect(leading('linear')?.message).to.match(/data\/db still leads to sdc.*end its pod/);
    expect(leading('thin,sparse')?.message).to.contain('all volumes in its thin pool');
    expect(leading('raid,raid1')?.reason).to.equal('LvmDegraded');
    expect(leading('raid,raid1', '', [])?.reason).to.equal('LvmFailed');
    expect(leading('linear', 'partial')?.message).to.contain('LVM says');
  });

  it('tells a full thin pool from a broken one', () => {
    expect(judged('thin,pool', 'out_of_data')?.reason).to.equal('ThinPoolFull');
    expect(judged('thin,pool', 'metadata_read_only')?.reason).to.equal('LvmFailed');
    expect(judged('thin,pool', 'failed')?.reason).to.equal('LvmFailed');
    const noMetadata = judged('thin,pool', 'metadata_read_only', false, 1);
    expect(noMetadata?.reason).to.equal('ThinPoolFull');
    expect(noMetadata?.message).to.contain('lvextend --poolmetadatasize').and.not.contain('repair');
    const checked = judged('thin,pool', 'metadata_read_only', true, 1);
    expect(checked?.reason).to.equal('ThinPoolFull');
    expect(checked?.message).to.contain('lvconvert --repair data/db');
    const damaged = judged('thin,pool', 'metadata_read_only', true);
    expect(damaged?.message).to.contain('lvconvert --repair data/db');
  });
});
