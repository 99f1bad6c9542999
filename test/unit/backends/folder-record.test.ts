import { expect } from 'chai';
import {
  encodeRecord,
  parseRecord,
  type FolderRecord,
} from '../../../src/backends/shared/folder-record.ts';
import { bytes } from '../../../src/model/bytes.ts';

const record: FolderRecord = {
  ...{ name: 'pvc-1', volumeUid: 'uid-1', pool: 'fast', bytes: bytes(4096) },
  ...{ quotaId: 2 ** 30, createdAt: 'today', adoptedFrom: 'pvc-0' },
};

describe('the record of a folder', () => {
  it('is read as it was written, also without what may be missing', () => {
    expect(parseRecord(encodeRecord(record))).to.deep.equal({ ok: true, value: record });
    const { name, volumeUid, pool, bytes: size, createdAt } = record;
    const least = { name, volumeUid, pool, bytes: size, createdAt };
    expect(parseRecord(encodeRecord(least))).to.deep.equal({ ok: true, value: least });
  });

  const text = encodeRecord(record);
  const damaged: [string, string, string][] = [
    ['one letter changed', text.replace('uid-1', 'uid-2'), 'checksum'],
    ['its end cut off', text.slice(0, -20), 'not JSON'],
    ['nothing in it', '', 'not JSON'],
    ['another kind of JSON', 'null', 'version none'],
    ['a later version', text.replace('"version":1', '"version":2'), 'version 2'],
    ['a field missing', encodeRecord({ ...record, pool: '' }), 'no pool'],
  ];
  for (const [what, given, why] of damaged) {
    it(`is none with ${what}`, () => {
      const parsed = parseRecord(given);
      expect(parsed.ok ? 'fine' : parsed.error).to.include(why);
    });
  }
});
