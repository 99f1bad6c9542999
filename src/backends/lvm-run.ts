import { NoSpaceError } from '../model/errors.ts';
import { CommandError, type RunCommand } from '../platform/run-command.ts';
import { PoolUnusableError } from '../usecases/ports.ts';
import { hasNoMapper, noMapper } from './shared/mapper.ts';

/**
 * Works in a container beside the node's own LVM: device files are made by LVM itself, since udev
 * of the node cannot tell a process in another IPC namespace when it is done; nothing is kept in
 * files; no daemon is started. Loop devices and opened encrypted volumes are never searched: users
 * of volumes write what they like into them, also something that looks like a disk of LVM.
 */
const config = [
  'activation { udev_sync=0 udev_rules=0 monitoring=0 }',
  'backup { backup=0 archive=0 }',
  'devices { use_devicesfile=0 hints="none" obtain_device_list_from_udev=0 external_device_info_source="none" scan_lvs=0 global_filter=["r|^/dev/loop|","r|^/dev/mapper/berth-pvc-|"] }',
  'global { use_lvmpolld=0 event_activation=0 }',
].join(' ');

export type RunLvm = (args: readonly string[], signal?: AbortSignal) => Promise<string>;

/** Runs one command of LVM: its name, and what follows it. */
export function lvmRunner(run: RunCommand): RunLvm {
  return async ([command = '', ...args], signal) => {
    try {
      return await run('lvm', [command, '--config', config, ...args], signal);
    } catch (error) {
      throw understood(error);
    }
  };
}

function understood(error: unknown): unknown {
  if (!(error instanceof CommandError)) {
    return error;
  }
  if (error.exitCode === undefined && error.message.includes('ENOENT')) {
    return new PoolUnusableError(
      'the program lvm is not there: backend lvm needs the package lvm2 in the image of the agent',
    );
  }
  const lack = lackOfKernel(error.stderr);
  if (lack !== undefined) {
    return new PoolUnusableError(lack);
  }
  return /insufficient (free space|suitable)|not enough free/i.test(error.stderr)
    ? new NoSpaceError(`the volume group has no room left: ${error.stderr.trim().slice(0, 300)}`)
    : withoutConfig(error);
}

/** People read what was done, and what LVM says of it. */
function withoutConfig({ message, exitCode, stderr, stdout }: CommandError): CommandError {
  return new CommandError(message.replace(`--config ${config} `, ''), exitCode, stderr, stdout);
}

function lackOfKernel(stderr: string): string | undefined {
  const said = /^.*Required device-mapper target.*$/m.exec(stderr)?.[0].trim();
  if (hasNoMapper(stderr)) {
    return noMapper;
  }
  return said && `the kernel of the node lacks a module of the device mapper: LVM says "${said}"`;
}
