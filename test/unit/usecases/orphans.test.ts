import { expect } from 'chai';
import { bytes } from '../../../src/model/bytes.ts';
import type { LocalVolume } from '../../../src/model/volume.ts';
import { findOrphans } from '../../../src/usecases/orphans.ts';

const image = (name: string) => ({
  name,
  volumeUid: `uid-${name}`,
  bytes: bytes(10),
  allocatedBytes: bytes(12),
});
const asked = (name: string) => ({ uid: `uid-${name}` }) as LocalVolume;
const fast = { name: 'fast', healthy: true };
const content = (volumes: string[], strays: string[] = []) => ({
  pool: fast,
  inventory: {
    volumes: volumes.map(image),
    strays: strays.map((name) => ({ name, bytes: bytes(1), reason: 'torn' })),
  },
});

describe('orphans', () => {
  it('are what no LocalVolume asks for, and what nobody can recognise', () => {
    const found = findOrphans([content(['a', 'b'], ['c'])], [asked('a')], [], 'today');

    expect(found).to.deep.equal([
      {
        ...{ pool: 'fast', name: 'b', bytes: 12, since: 'today' },
        reason: 'no LocalVolume with uid uid-b is on this node',
      },
      { pool: 'fast', name: 'c', bytes: 1, reason: 'torn', since: 'today' },
    ]);
  });

  it('keep the date on which they were first seen', () => {
    const before = findOrphans([content(['a'])], [], [], 'yesterday');
    const now = findOrphans([content(['a', 'b'])], [], before, 'today');

    expect(now.map(({ since }) => since)).to.deep.equal(['yesterday', 'today']);
  });

  it('are not forgotten while their pool cannot be read', () => {
    const before = findOrphans([content(['a'])], [], [], 'yesterday');
    const ill = { ...content([]), pool: { ...fast, healthy: false } };

    expect(findOrphans([ill], [], before, 'today')).to.deep.equal(before);
    expect(findOrphans([content([])], [], before, 'today')).to.deep.equal([]);
  });
});
