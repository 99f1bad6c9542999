import { expect } from 'chai';
import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readKeyFile } from '../../../src/platform/key-files.ts';
import { rejection } from '../../support/rejection.ts';

describe('a key in a file of the node', () => {
  const secret = 'a very secret key, 32 bytes long';
  let root: string;
  let directory: string;

  before(function () {
    if (process.getuid?.() !== 0) {
      this.skip();
    }
  });

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'berth-keys-'));
    directory = join(root, 'keys');
    await mkdir(directory, { mode: 0o755 });
    await writeFile(join(directory, 'class'), secret, { mode: 0o600 });
  });

  afterEach(() => rm(root, { recursive: true, force: true }));

  const read = (name = 'class'): Promise<Uint8Array> => readKeyFile(directory, name);

  it('is read as it is, byte for byte', async () => {
    const key = Buffer.from([...Array(256).keys()]);
    await writeFile(join(directory, 'binary'), key, { mode: 0o400 });

    expect(Buffer.from(await read('binary')).equals(key)).to.equal(true);
    expect(Buffer.from(await read()).toString()).to.equal(secret);
  });

  const path = (): string => join(directory, 'class');
  const wrong: [string, () => Promise<unknown>, RegExp][] = [
    ['others may read it', () => chmod(path(), 0o644), /mode 0644: at most 0700/],
    ['its group may read it', () => chmod(path(), 0o640), /mode 0640/],
    ['it is not root’s', () => chown(path(), 65534, 0), /user 65534: it must belong to root/],
    ['others may put one there', () => chmod(directory, 0o777), /directory .*mode 0777/],
    ['it is not there', () => rm(path()), /not there/],
    ['it is too short', () => writeFile(path(), 'short secret'), /12 bytes: from 32/],
    ['it is a directory', () => rm(path()).then(() => mkdir(path(), { mode: 0o700 })), /regular/],
    [
      'it is a link',
      async () => {
        await rm(path());
        await writeFile(join(root, 'elsewhere'), secret, { mode: 0o600 });
        await symlink(join(root, 'elsewhere'), path());
      },
      /link/,
    ],
  ];
  for (const [why, spoil, text] of wrong) {
    it(`is refused because ${why}, and nobody is told what it is`, async () => {
      await spoil();
      const error = await rejection(read());

      expect(error.name).to.equal('PermanentError');
      expect(error.message).to.match(text).and.to.contain(path());
      expect(error.message).to.not.contain('secret');
    });
  }
});
