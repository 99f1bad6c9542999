import { expect } from 'chai';
import { healthOnTop, type Layer } from '../../../src/model/device-layers.ts';
import type { Health, IllState } from '../../../src/model/health.ts';

/** A mirror `dm-4` of two copies, each with its own disk, and `loop0` in a filesystem on it. */
const layers = new Map(
  (
    [
      { name: 'loop0', below: ['dm-4'] },
      {
        name: 'dm-4',
        below: ['dm-0', 'dm-1', 'dm-2', 'dm-3'],
        copies: [
          ['dm-0', 'dm-1'],
          ['dm-2', 'dm-3'],
        ],
      },
      { name: 'dm-0', below: ['sda'] },
      { name: 'dm-1', below: ['sda'] },
      { name: 'dm-2', below: ['sdb'] },
      { name: 'dm-3', below: ['sdb'] },
      { name: 'sda', below: [] },
      { name: 'sdb', below: [] },
    ] satisfies Layer[]
  ).map((layer) => [layer.name, layer]),
);

function healthWith(ill: Readonly<Record<string, IllState>>, ...tops: string[]) {
  return healthOnTop(tops, layers, (name): readonly Health[] => {
    const state = ill[name];
    const about = { reason: 'WriteErrors', message: `${name} is bad`, since: '2026' } as const;
    return state ? [{ state, ...about }] : [];
  });
}

describe('the health of what lies on devices', () => {
  it('is that of the worst of them', () => {
    expect(healthWith({}, 'loop0')).to.equal(undefined);
    expect(healthWith({ loop0: 'suspect', 'dm-4': 'failing' }, 'loop0')?.message).to.contain(
      'dm-4',
    );
    expect(healthWith({ sdb: 'failing' }, 'dm-2', 'sda')?.state).to.equal('failing');
  });

  it('is suspect while another copy is well, and says so', () => {
    for (const device of ['sdb', 'dm-3']) {
      const health = healthWith({ [device]: 'failing' }, 'loop0');
      expect(health?.state, device).to.equal('suspect');
      expect(health?.message, device).to.match(/a copy in dm-4.*is bad/);
    }
    expect(healthWith({ sdb: 'failing', sda: 'suspect' }, 'loop0')?.state).to.equal('suspect');
  });

  it('is failing when no copy is left', () => {
    expect(healthWith({ sda: 'failing', 'dm-2': 'failing' }, 'loop0')?.state).to.equal('failing');
  });

  it('is failing when both copies are on one disk that is', () => {
    const both = new Map(layers).set('dm-2', { name: 'dm-2', below: ['sda'] });
    const failing = { state: 'failing', reason: 'WriteErrors', message: '', since: '' } as const;
    const health = healthOnTop(['dm-4'], both, (name) => (name === 'sda' ? [failing] : []));
    expect(health?.state).to.equal('failing');
  });

  it('is failing when it also lies directly on the disk of a copy', () => {
    expect(healthWith({ sdb: 'failing' }, 'loop0', 'sdb')?.state).to.equal('failing');
  });
});
