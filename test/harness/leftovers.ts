import { existsSync, readFileSync, readdirSync, rmdirSync } from 'node:fs';

import { mountsBelow } from '../cluster/leftover-disks.ts';
import { stateDir } from '../cluster/paths.ts';
import { ownedProcesses } from '../cluster/processes.ts';
import { runCommand } from '../cluster/run-command.ts';
import { claims, cgroupPrefix, networksOf } from '../cluster/slots.ts';

// A state directory of our own: other people's clusters may come and go on this machine while the tests run.
process.env['BERTH_STATE_DIR'] = `/tmp/berth-h${process.pid}`;

after('the state directory is empty', () => {
  if (existsSync(stateDir())) rmdirSync(stateDir());
});

/** Everything of this machine that clusters of this test run could leave behind, as lines to be compared. */
export async function machineState(): Promise<string[]> {
  const state = stateDir();
  return [
    ...ownedProcesses()
      .filter(({ dir }) => dir.startsWith(`${state}/`))
      .map(({ dir, role }) => `process ${role} of ${dir}`),
    ...mountsBelow(state).map((mount) => `mount ${mount}`),
    ...(existsSync(state) ? readdirSync(state) : []).map((name) => `folder ${name}`),
    ...(await lines('losetup', '--list', '--noheadings')).filter((line) => line.includes(state)),
    ...(await lines('ip', 'netns', 'list')).map((line) => `netns ${line}`),
    ...settings(),
    ...(await ofSlots()),
  ].sort();
}

/** What is there now and was not before. */
export async function newSince(before: readonly string[]): Promise<string[]> {
  return (await machineState()).filter((line) => !before.includes(line));
}

/** Cgroups, addresses, links and routes of nodes, unless they belong to a slot of somebody else. */
async function ofSlots(): Promise<string[]> {
  const foreign = claims()
    .filter(({ dir }) => !dir.startsWith(`${stateDir()}/`))
    .flatMap(({ slot }) => [cgroupPrefix(slot), ...networksOf(slot)]);
  const all = [
    ...cgroups(),
    ...(await lines('ip', '-brief', 'address')),
    ...(await lines('ip', 'route')),
  ];
  return all
    .filter((line) => line.includes('berth-') || /198\.1[89]\./.test(line))
    .filter((line) => !foreign.some((mark) => line.includes(mark)));
}

function cgroups(): string[] {
  return readdirSync('/sys/fs/cgroup', { recursive: true, encoding: 'utf8' });
}

/** Kernel settings that kubelets and network plug-ins like to change. */
function settings(): string[] {
  return ['net/ipv4/ip_forward', 'vm/overcommit_memory', 'kernel/panic'].map(
    (name) => `setting ${name}=${readFileSync(`/proc/sys/${name}`, 'utf8').trim()}`,
  );
}

async function lines(file: string, ...args: string[]): Promise<string[]> {
  return (await runCommand(file, args))
    .split('\n')
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter(Boolean);
}
