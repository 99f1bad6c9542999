import { expect } from 'chai';
import { allocatedFor, parsePoolSpec } from '../../../src/backends/index.ts';
import { bytes, MiB } from '../../../src/model/bytes.ts';

const spec = (lvm: object, others: object = {}) => ({
  backend: 'lvm',
  lvm: { volumeGroup: 'vg0', ...lvm },
  ...others,
});

function mistakeIn(given: unknown): string {
  const pool = parsePoolSpec(given);
  return pool.ok ? 'none' : pool.error;
}

describe('the options of backend lvm', () => {
  const mistakes: [string, object, string[]][] = [
    ['neither group nor disks', { backend: 'lvm' }, ['lvm.volumeGroup', 'devices']],
    [
      'both of them',
      spec({}, { devices: { paths: ['/dev/sdb'] } }),
      ['lvm.volumeGroup and devices'],
    ],
    ['an odd group', spec({ volumeGroup: 'a b' }), ['lvm.volumeGroup is "a b"']],
    ['a group that is an option', spec({ volumeGroup: '-f' }), ['lvm.volumeGroup is "-f"']],
    ['a group that is a folder', spec({ volumeGroup: '..' }), ['lvm.volumeGroup is ".."']],
    ['an unknown type', spec({ type: 'raid5' }), ['lvm.type is "raid5"', 'striped']],
    ['one stripe', spec({ type: 'striped', stripes: 1 }), ['lvm.stripes is 1', '2 to 16']],
    ['too many copies', spec({ type: 'mirrored', copies: 5 }), ['lvm.copies is 5', '2 to 4']],
    ['an option of another type', spec({ copies: 2 }), ['lvm.copies is set', 'mirrored']],
    ['extents of an odd size', spec({ extentSize: '3Mi' }), ['lvm.extentSize is "3Mi"', '1Mi']],
    ['small extents', spec({ extentSize: '512Ki' }), ['lvm.extentSize is "512Ki"']],
    ['less than all', thin({ overcommit: '0.5' }), ['lvm.thin.overcommit is "0.5"', '1.0']],
    ['no number', thin({ overcommit: '1e3' }), ['lvm.thin.overcommit is "1e3"']],
    ['a size without sense', thin({ size: '101%' }), ['lvm.thin.size is "101%"', '90%']],
    ['a warning of all', thin({ warnAt: '120%' }), ['lvm.thin.warnAt is "120%"']],
    ['a late warning', thin({ warnAt: '95%' }), ['lvm.thin.warnAt is above']],
    ['an unknown field', thin({ chunk: 1 }), ['lvm.thin.chunk']],
  ];

  function thin(fields: object): object {
    return spec({ type: 'thin', thin: fields });
  }

  for (const [what, given, texts] of mistakes) {
    it(`refuse ${what}`, () => {
      for (const text of texts) {
        expect(mistakeIn(given)).to.include(text);
      }
    });
  }

  const counted: [string, object, number][] = [
    ['whole extents', {}, 12],
    ['as many extents as stripes', { type: 'striped', stripes: 2 }, 16],
    ['each copy and what lies beside it', { type: 'mirrored', copies: 3 }, 48],
    ['the size of a thin volume', { type: 'thin' }, 12],
    ['extents of another size', { extentSize: '16Mi' }, 16],
  ];
  for (const [what, fields, mebibytes] of counted) {
    it(`let control count ${what}`, () => {
      const allocated = allocatedFor(spec(fields), bytes(9 * MiB));

      expect(allocated).to.deep.equal({ ok: true, value: mebibytes * MiB });
    });
  }

  it('name the volume group as what the pool is made of, and disks not at all', () => {
    const named = parsePoolSpec(spec({}));
    const made = parsePoolSpec({ backend: 'lvm', devices: { paths: ['/dev/sdb'] } });

    expect(named.ok && named.value.source).to.equal('volume group vg0');
    expect(made.ok && made.value.source).to.equal(undefined);
  });
});
