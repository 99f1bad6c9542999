import { expect } from 'chai';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { followFile } from '../../../src/platform/follow-file.ts';
import { waitFor } from '../../cluster/wait.ts';

describe('followFile', () => {
  let folder: string;
  let stopping: AbortController;
  let running: Promise<void>;
  let seen: string[];
  let errors: number;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'follow-'));
    stopping = new AbortController();
    seen = [];
    errors = 0;
  });
  afterEach(async () => {
    stopping.abort();
    await running;
    await rm(folder, { recursive: true });
  });

  function follow(path: string): void {
    const log = { info: () => {}, warn: () => {}, error: () => void (errors += 1) };
    const onText = (text: string): void => void seen.push(text);
    running = followFile({ path, onText }, log, stopping.signal);
  }

  const until = (text: string) =>
    waitFor(`"${text}" to be read`, async () => seen.at(-1) === text, { timeoutMs: 5_000 });

  it('reads a file at once, and again when it was written or replaced', async () => {
    const path = join(folder, 'file');
    await writeFile(path, 'one');
    follow(path);
    await until('one');
    await writeFile(path, 'two');
    await until('two');
    await writeFile(`${path}.new`, 'three');
    await rename(`${path}.new`, path);
    await until('three');
    expect(seen).to.deep.equal(['one', 'two', 'three']);
  });

  it('follows what kubelet mounts: a link to a folder that is exchanged', async () => {
    const put = async (name: string): Promise<void> => {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'file'), name);
      await symlink(name, join(folder, '..data_tmp'));
      await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    await put('one');
    await symlink('..data/file', join(folder, 'file'));
    follow(join(folder, 'file'));
    await until('one');
    await put('two');
    await until('two');
  });

  it('keeps what it has read while the file is away', async () => {
    const path = join(folder, 'file');
    await writeFile(path, 'one');
    follow(path);
    await until('one');
    await rm(path);
    await waitFor('the missing file to be told', async () => errors > 0, { timeoutMs: 5_000 });
    expect(seen).to.deep.equal(['one']);
    await writeFile(path, 'two');
    await until('two');
  });
});
