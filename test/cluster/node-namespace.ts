import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { mountsBelow } from './leftover-disks.ts';
import { type ClusterScope, Program, type ProgramSpec } from './program.ts';
import { runCommand } from './run-command.ts';

/**
 * Paths that kubelet, containerd and the network plug-ins have built in. Several nodes on one machine would write
 * into each other's (a kubelet deletes logs of pods it does not know), so each node sees a folder of its own there.
 */
const OWN_FOLDERS = [
  '/var/log/pods',
  '/var/log/containers',
  '/var/lib/kubelet',
  '/var/lib/cni',
  '/run/netns',
  '/run/containerd',
];

/**
 * Kernel settings that a kubelet and the network plug-in set for the whole machine if they find another value. A
 * node sees the value they want there, so that the machine keeps its own.
 */
const SEEN_SETTINGS: Readonly<Record<string, string>> = {
  '/proc/sys/vm/overcommit_memory': '1',
  '/proc/sys/vm/panic_on_oom': '0',
  '/proc/sys/kernel/panic': '10',
  '/proc/sys/kernel/panic_on_oops': '1',
  '/proc/sys/kernel/keys/root_maxkeys': '1000000',
  '/proc/sys/kernel/keys/root_maxbytes': '25000000',
  '/proc/sys/net/ipv4/ip_forward': '1',
};

// Mounts of the machine below the cluster's folder come in (slave), those made inside stay inside, and inside all is
// shared, as containers with mount propagation need it.
const SCRIPT = `set -e
ready=$1; shift
mount --make-rshared /
while [ $# -gt 0 ]; do mount --bind "$1" "$2"; shift 2; done
: >"$ready"
exec sleep infinity`;

/**
 * The mount namespace of one node, held open by a sleeping process. With its last process everything mounted in it
 * is gone, so a node cannot leave mounts or network namespaces behind, however it ends.
 */
export class NodeNamespace {
  readonly #holder: Program;
  readonly #readyFile: string;

  constructor(
    scope: ClusterScope,
    node: { name: string; dir: string; folders: readonly string[] },
  ) {
    this.#readyFile = join(node.dir, 'namespace.ready');
    const binds = [...folderBinds(node.dir, node.folders), ...settingBinds(node.dir)];
    this.#holder = new Program(scope, {
      role: `namespace-${node.name}`,
      file: 'unshare',
      args: [
        ...['--mount', '--propagation', 'slave'],
        ...['/bin/sh', '-c', SCRIPT, 'sh', this.#readyFile, ...binds.flat()],
      ],
      ready: async () => existsSync(this.#readyFile),
    });
  }

  get running(): boolean {
    return this.#holder.running;
  }

  async start(): Promise<void> {
    await runCommand('rm', ['-f', this.#readyFile]);
    await this.#holder.start();
  }

  async stop(): Promise<void> {
    await this.#holder.kill();
  }

  /** The same program, run inside. */
  inside(spec: ProgramSpec): ProgramSpec {
    return { ...spec, prefix: () => this.#prefix() };
  }

  /** Runs a program inside to its end. */
  run(file: string, args: readonly string[]): Promise<string> {
    const [enter = '', ...rest] = this.#prefix();
    return runCommand(enter, [...rest, file, ...args]);
  }

  #prefix(): string[] {
    const { pid } = this.#holder;
    if (pid === undefined) throw new Error(`${this.#holder.spec.role} is not running`);
    return ['nsenter', `--mount=/proc/${pid}/ns/mnt`, '--'];
  }
}

function folderBinds(dir: string, more: readonly string[]): [string, string][] {
  return [...OWN_FOLDERS, ...more].map((path) => {
    const own = join(dir, 'host', path);
    mkdirSync(own, { recursive: true });
    // The place to mount on has to exist on the machine itself. It stays there, empty: removing it would unmount
    // it for all other clusters.
    mkdirSync(path, { recursive: true });
    return [own, path];
  });
}

function settingBinds(dir: string): [string, string][] {
  return Object.entries(SEEN_SETTINGS)
    .filter(([path]) => existsSync(path))
    .map(([path, value]) => {
      const own = join(dir, 'host', path);
      mkdirSync(dirname(own), { recursive: true });
      writeFileSync(own, `${value}\n`);
      return [own, path];
    });
}

/** Makes mounts below the cluster's folder reach the namespaces of its nodes. Repeatable. */
export async function shareFolder(dir: string): Promise<void> {
  if (mountsBelow(dir).includes(dir)) return;
  await runCommand('mount', ['--bind', dir, dir]);
  // Private first: where the machine shares its root, the new mount would stay in that group.
  await runCommand('mount', ['--make-private', dir]);
  await runCommand('mount', ['--make-shared', dir]);
}
