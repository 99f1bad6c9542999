import { mkdir, mkdtemp, rm, rmdir, symlink, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { podVolumes } from '../../../src/platform/pod-volumes.ts';
import { waitFor } from '../../cluster/wait.ts';
import { rejection } from '../../support/rejection.ts';

const log = { info: () => {}, warn: () => {}, error: () => {} };
const plugin = 'kubernetes.io~local-volume';

describe('podVolumes', () => {
  let kubelet: string;
  let stop: AbortController;
  let heard: string[];
  const at = (...path: string[]): string => join(kubelet, 'pods', ...path);

  beforeEach(async () => {
    kubelet = await mkdtemp(join(tmpdir(), 'berth-kubelet-'));
    await mkdir(at());
    stop = new AbortController();
    heard = [];
  });
  afterEach(async () => {
    stop.abort();
    await rm(kubelet, { recursive: true });
  });

  async function told(pod: string): Promise<void> {
    await waitFor(`news of ${pod}`, () => heard.includes(pod), { timeoutMs: 5_000 });
    heard.length = 0;
  }

  const watch = (): Promise<void> =>
    podVolumes(kubelet, log).watch((pod) => heard.push(pod), stop.signal);

  it('knows volumes of both modes, and of no other plugin', async () => {
    await mkdir(at('a', 'volumes', plugin, 'pvc-1'), { recursive: true });
    await mkdir(at('a', 'volumes', 'kubernetes.io~secret', 'token'), { recursive: true });
    await mkdir(at('a', 'volumeDevices', plugin), { recursive: true });
    await symlink('/dev/null', at('a', 'volumeDevices', plugin, 'pvc-2'));
    await mkdir(at('b'));
    const pods = podVolumes(kubelet, log);

    expect(await pods.pods()).to.have.members(['a', 'b']);
    expect(await pods.volumesOf('a')).to.deep.equal(['pvc-1', 'pvc-2']);
    expect(await pods.volumesOf('b')).to.deep.equal([]);
    expect(await pods.volumesOf('c')).to.deep.equal([]);
  });

  it('tells each step of a pod that comes and goes, in folders that come one after the other', async () => {
    await watch();

    for (const path of [
      ['a'],
      ['a', 'volumes'],
      ['a', 'volumes', plugin],
      ['a', 'volumes', plugin, 'pvc-1'],
    ]) {
      await mkdir(at(...path));
      await told('a');
    }
    await rmdir(at('a', 'volumes', plugin, 'pvc-1'));
    await told('a');
    await rm(at('a'), { recursive: true });
    await told('a');
  });

  it('tells of pods that were there before, raw volumes too', async () => {
    await mkdir(at('old', 'volumeDevices', plugin), { recursive: true });
    await watch();

    await symlink('/dev/null', at('old', 'volumeDevices', plugin, 'pvc-1'));
    await told('old');
    await unlink(at('old', 'volumeDevices', plugin, 'pvc-1'));
    await told('old');
  });

  it('follows a folder that is made anew', async () => {
    await mkdir(at('a', 'volumes', plugin), { recursive: true });
    await watch();
    await rmdir(at('a', 'volumes', plugin));
    await told('a');
    await mkdir(at('a', 'volumes', plugin));
    await told('a');

    await mkdir(at('a', 'volumes', plugin, 'pvc-1'));

    await told('a');
  });

  it('takes a folder without any pod for another one', async () => {
    expect((await rejection(podVolumes(kubelet, log).pods())).message).to.contain(at());
  });

  it('fails where kubelet has no folder', async () => {
    await rm(at(), { recursive: true });

    expect((await rejection(watch())).message).to.contain(at());
    expect((await rejection(podVolumes(kubelet, log).pods())).message).to.contain(at());
    await mkdir(at());
  });
});
