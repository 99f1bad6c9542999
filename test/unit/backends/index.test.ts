import { expect } from 'chai';
import { allocatedFor, backendNames, parsePoolSpec } from '../../../src/backends/index.ts';
import { bytes, MiB } from '../../../src/model/bytes.ts';

const fine = { backend: 'loop', loop: { directory: '/var/lib/pool', size: '10Gi' } };

function mistakeIn(spec: unknown): string {
  const pool = parsePoolSpec(spec);
  return pool.ok ? 'none' : pool.error;
}

describe('the spec of a StoragePool', () => {
  it('is understood by the backend it names', () => {
    const pool = parsePoolSpec(fine);

    expect(pool).to.deep.include({ ok: true });
    expect(pool.ok && pool.value.keepForMs).to.equal(7 * 86_400_000);
    expect(allocatedFor(fine, bytes(MiB))).to.deep.equal({ ok: true, value: 2 * MiB });
  });

  const loop = (fields: object) => ({ backend: 'loop', loop: { ...fine.loop, ...fields } });
  const mistakes: [string, unknown, string[]][] = [
    ['no spec', undefined, ['backend is missing', 'loop']],
    ['an unknown backend', { backend: 'tape' }, ['backend is "tape"', ...backendNames]],
    ['a name that every object has', { backend: 'toString' }, ['backend is "toString"']],
    ['media to be found', { ...fine, discovery: {} }, ['discovery is set', 'backend loop']],
    ['no source', { backend: 'loop' }, ['loop is missing', 'directory']],
    ['a source of another form', { backend: 'loop', loop: [] }, ['loop is []']],
    ['a relative directory', loop({ directory: 'var/pool' }), ['loop.directory is "var/pool"']],
    [
      'a directory with ..',
      loop({ directory: '/var/../etc' }),
      ['loop.directory is "/var/../etc"'],
    ],
    ['the root', loop({ directory: '/' }), ['loop.directory is "/"']],
    ['no size', loop({ size: undefined }), ['loop.size is missing', '100Gi']],
    ['a size without sense', loop({ size: '-1Gi' }), ['loop.size is "-1Gi"']],
    ['a size for nothing', loop({ size: '1Mi' }), ['loop.size is "1Mi"', '16Mi']],
    [
      'a period without sense',
      { ...fine, orphans: { keepFor: '1w' } },
      ['orphans.keepFor is "1w"'],
    ],
    ['an unknown allocation', loop({ allocation: 'thin' }), ['"thin"', 'preallocated, sparse']],
  ];
  for (const [what, spec, says] of mistakes) {
    it(`is refused with field, value and what is allowed: ${what}`, () => {
      says.forEach((text) => expect(mistakeIn(spec)).to.include(text));
    });
  }

  for (const backend of ['partition', 'device']) {
    it(`needs nothing but disks for backend ${backend}`, () => {
      const spec = { backend, devices: { paths: ['/dev/sdb'] } };

      expect(parsePoolSpec(spec)).to.deep.include({ ok: true });
      expect(parsePoolSpec({ ...spec, [backend]: {} })).to.deep.include({ ok: true });
      expect(allocatedFor(spec, bytes(MiB + 1))).to.deep.equal({ ok: true, value: 2 * MiB });
      expect(mistakeIn({ backend })).to.include('devices is missing').and.include(backend);
      const options = mistakeIn({ ...spec, [backend]: { align: 1 } });
      expect(options).to.include(`${backend}.align is not known`);
      expect(mistakeIn({ ...spec, [backend]: 'x' })).to.include(`${backend} is "x"`);
    });
  }

  it('names every mistake at once', () => {
    const mistake = mistakeIn(loop({ directory: 1, size: 'x', allocation: 2 }));

    expect(mistake.split('; ')).to.have.length(3);
  });
});
