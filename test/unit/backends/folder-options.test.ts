import { expect } from 'chai';
import { allocatedFor, parsePoolSpec } from '../../../src/backends/index.ts';
import { bytes } from '../../../src/model/bytes.ts';

const directory = '/var/lib/berth/data';
const spec = (backend: string, fields: object = {}) => ({
  backend,
  [backend]: { directory, ...fields },
});

describe('pools of directories', () => {
  for (const backend of ['btrfs', 'directory']) {
    it(`are declared by their directory alone: ${backend}`, () => {
      const pool = parsePoolSpec(spec(backend));

      expect(pool).to.deep.include({ ok: true });
      expect(pool.ok && pool.value).to.include({
        source: `directory ${directory}`,
        gives: 'directory',
      });
      expect(allocatedFor(spec(backend), bytes(4097))).to.deep.equal({ ok: true, value: 8192 });
    });

    const mistakes: [string, unknown, string[]][] = [
      ['no directory', { backend, [backend]: {} }, [`${backend}.directory is missing`]],
      ['a relative one', spec(backend, { directory: 'data' }), [`${backend}.directory is "data"`]],
      ['a size without sense', spec(backend, { size: 'much' }), [`${backend}.size is "much"`]],
      ['a size for nothing', spec(backend, { size: '1Mi' }), ['16Mi']],
      ['what nobody knows', spec(backend, { label: 'x' }), [`${backend}.label is not known`]],
      ['disks', { ...spec(backend), devices: { paths: ['/dev/sd*'] } }, ['devices is set']],
    ];
    for (const [what, given, says] of mistakes) {
      it(`are refused with field, value and what is allowed: ${backend}, ${what}`, () => {
        const pool = parsePoolSpec(given);
        says.forEach((text) => expect(pool.ok ? 'none' : pool.error).to.include(text));
      });
    }
  }

  it('that nothing limits need a size', () => {
    const none = { enforcement: 'none' };
    const refused = parsePoolSpec(spec('directory', none));

    expect(refused.ok ? 'none' : refused.error).to.include('directory.size is missing');
    expect(parsePoolSpec(spec('directory', { ...none, size: '1Gi' })).ok).to.equal(true);
    const wrong = parsePoolSpec(spec('directory', { enforcement: 'some' }));
    expect(wrong.ok ? 'none' : wrong.error).to.include('allowed are required, none');
  });
});
