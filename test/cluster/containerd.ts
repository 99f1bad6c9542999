import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { BUSYBOX_IMAGE } from './image.ts';
import type { ProgramSpec } from './program.ts';

/** Where one node's containerd keeps its things. */
export interface ContainerdPlace {
  node: string;
  dir: string;
  network: object;
}

// The kernel's limit on the path of a unix socket is 107 bytes; containerd adds ".ttrpc" to it.
const LONGEST_SOCKET = 100;

export function socketOf(dir: string): string {
  const socket = join(dir, 'containerd.sock');
  if (Buffer.byteLength(socket) > LONGEST_SOCKET) {
    throw new RangeError(
      `${socket} is too long for a unix socket; set BERTH_STATE_DIR to a shorter path`,
    );
  }
  return socket;
}

/** Writes the configuration of a node's containerd and returns how to start it. */
export function containerd(place: ContainerdPlace, isReady: () => Promise<boolean>): ProgramSpec {
  const root = join(place.dir, 'containerd');
  const networks = join(place.dir, 'cni');
  mkdirSync(networks, { recursive: true });
  mkdirSync(root, { recursive: true });
  writeFileSync(join(networks, '10-berth.conflist'), JSON.stringify(place.network));
  const config = join(root, 'config.toml');
  writeFileSync(config, configOf(place.dir, root, networks));
  return {
    role: `containerd-${place.node}`,
    file: 'containerd',
    args: ['--config', config],
    ready: isReady,
  };
}

function configOf(dir: string, root: string, networks: string): string {
  const text = JSON.stringify;
  return `version = 2
root = ${text(join(root, 'root'))}
state = ${text(join(root, 'state'))}
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = ${text(socketOf(dir))}
[plugins."io.containerd.internal.v1.opt"]
  path = ${text(join(root, 'opt'))}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${text(BUSYBOX_IMAGE)}
  disable_apparmor = true
  # A machine that is itself a container may not lower the score of a process: without this no sandbox starts there.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = ${text(networks)}
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
`;
}
