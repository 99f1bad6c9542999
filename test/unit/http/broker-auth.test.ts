import { expect } from 'chai';
import { parseCredentials } from '../../../src/http/broker-auth.ts';

function basic(pair: string): string {
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

describe('parseCredentials', () => {
  it('knows several names, and several passwords of one', () => {
    const read = parseCredentials('# people\na:one\r\n\na:two\nb:with:colons and blanks\n');
    const check = (pair: string): string | undefined =>
      read.ok ? read.value.check(basic(pair)) : undefined;
    expect([check('a:one'), check('a:two')]).to.deep.equal(['a', 'a']);
    expect(check('b:with:colons and blanks')).to.equal('b');
    for (const pair of ['a:three', 'b:one', 'a:', ':one', 'a', '', '# people', 'a:one\n']) {
      expect(check(pair), pair).to.equal(undefined);
    }
  });

  it('takes nothing else for credentials', () => {
    const read = parseCredentials('a:one');
    for (const header of [undefined, '', 'Basic', 'Basic ', 'Bearer YTpvbmU=', 'a:one']) {
      expect(read.ok && read.value.check(header), header).to.equal(undefined);
    }
    expect(read.ok && read.value.check('basic YTpvbmU=')).to.equal('a');
  });

  it('names the lines that are wrong, and not what is in them', () => {
    const read = parseCredentials('a:one\nhunter2\n:secret\nb:');
    const error = read.ok ? '' : read.error;
    expect(error).to.match(/line 2.*line 3.*line 4/);
    expect(error).not.to.match(/hunter2|secret/);
  });

  it('refuses a file without anybody: it would lock all out', () => {
    expect(parseCredentials('# nobody\n').ok).to.equal(false);
  });
});
