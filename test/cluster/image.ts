import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';

import { runCommand } from './run-command.ts';

/** In every node's containerd; holds a static busybox. Pods name it with `imagePullPolicy: Never`. */
export const BUSYBOX_IMAGE = 'berth.test/busybox:1';

/** What an image runs when the pod does not say. Ends at once on SIGTERM, which `sleep` as process 1 would not. */
const IDLE = ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 86400 & wait $!; done'];

/** @public */
export interface ImageSpec {
  /** With a tag, e.g. `berth.test/busybox:1`. */
  name: string;
  /** A folder whose content becomes the image's only layer. */
  content: string;
  command?: readonly string[];
  env?: readonly string[];
}

/**
 * Writes the image as `docker save` would, without any tool but tar, and returns the path of the file.
 *
 * @public
 */
export async function buildImage(file: string, spec: ImageSpec): Promise<string> {
  const work = `${file}.parts`;
  mkdirSync(work, { recursive: true });
  const layer = join(work, 'layer.tar');
  await runCommand('tar', ['-C', spec.content, '--owner=0', '--group=0', '-cf', layer, '.']);
  writeFileSync(join(work, 'config.json'), JSON.stringify(imageConfig(spec, layer)));
  const manifest = [{ Config: 'config.json', RepoTags: [spec.name], Layers: ['layer.tar'] }];
  writeFileSync(join(work, 'manifest.json'), JSON.stringify(manifest));
  await runCommand('tar', ['-C', work, '-cf', file, 'manifest.json', 'config.json', 'layer.tar']);
  rmSync(work, { recursive: true });
  return file;
}

function imageConfig(spec: ImageSpec, layer: string): object {
  const digest = createHash('sha256').update(readFileSync(layer)).digest('hex');
  return {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {
      Cmd: spec.command ?? IDLE,
      Env: spec.env ?? ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
    history: [{ created_by: 'berth test harness' }],
  };
}

/** The image of every node, which is also that of the pod sandboxes, made from Debian's busybox-static. */
export async function busyboxImage(file: string): Promise<string> {
  const content = `${file}.content`;
  for (const folder of ['bin', 'etc', 'tmp', 'root']) {
    mkdirSync(join(content, folder), { recursive: true });
  }
  const busybox = join(content, 'bin/busybox');
  copyFileSync('/bin/busybox', busybox);
  const applets = (await runCommand(busybox, ['--list'])).split('\n').filter(Boolean);
  for (const applet of applets.filter((name) => name !== 'busybox')) {
    symlinkSync('busybox', join(content, 'bin', applet));
  }
  writeFileSync(join(content, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(content, 'etc/group'), 'root:x:0:\n');
  await buildImage(file, { name: BUSYBOX_IMAGE, content });
  rmSync(content, { recursive: true });
  return file;
}
