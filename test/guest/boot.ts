import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, statSync } from 'node:fs';
import { copyFile, mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import { searchPath } from '../cluster/paths.ts';
import { diskArguments, diskBytes, diskSerials } from './disks.ts';
import type { GuestFiles } from './files.ts';

export interface GuestRun {
  readonly files: GuestFiles;
  /** Bash, run as root in the guest. */
  readonly command: string;
  /** The guest finds it, with what is in it, at `/run/exchange`, and writes its results there. */
  readonly exchange: string;
  /** Where the content of the scratch disks is kept while the guest runs. */
  readonly disks: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A guest with working KVM prints its first line within this time on the slowest machine. */
const FIRST_SIGN_MS = 5_000;

/**
 * Boots a guest, runs the command in it with its output on this process's own, and waits for the guest's end.
 *
 * @returns the command's exit status
 * @throws Error when the guest ends, or has to be ended, before the command does
 */
export async function runInGuest(run: GuestRun): Promise<number> {
  await prepare(run);
  for (const accelerator of accelerators()) {
    const end = await boot(run, accelerator);
    if (end !== 'no sign of life') {
      return statusAfter(run, end);
    }
    console.error(`the guest does not start with ${accelerator}, it is emulated`);
  }
  throw new Error(`the guest does not start:\n${await lastLines(run)}`);
}

/** The device may be there and not work, in a virtual machine mostly: then the next one is tried. */
function accelerators(): readonly string[] {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return ['kvm', 'tcg'];
  } catch {
    return ['tcg'];
  }
}

async function prepare({ files, command, exchange, disks }: GuestRun): Promise<void> {
  await copyFile(join(import.meta.dirname, 'start.sh'), join(exchange, 'start'));
  await writeFile(join(exchange, 'modules'), files.modules);
  await writeFile(join(exchange, 'disks'), diskSerials.join('\n'));
  await writeFile(join(exchange, 'command'), command);
  await mkdir(disks, { recursive: true });
  for (const serial of diskSerials) {
    await writeFile(join(disks, serial), '');
    await truncate(join(disks, serial), diskBytes);
  }
}

type End = 'no sign of life' | 'went off' | 'took too long' | 'was interrupted';

async function boot(run: GuestRun, accelerator: string): Promise<End> {
  // Should this process be killed outright, QEMU is as well.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...qemu(run, accelerator)], {
    // KVM that does not work says so in many ways, and the next attempt is all that counts then.
    stdio: ['ignore', 'pipe', accelerator === 'tcg' ? 'inherit' : 'ignore'],
    env: { ...process.env, PATH: searchPath().join(delimiter) },
  });
  child.stdout.pipe(process.stdout, { end: false });
  let end: End = 'went off';
  const stop = (why: End): void => {
    end = why;
    child.kill('SIGKILL');
  };
  const look = (): void => {
    if (!hasSpoken(run)) stop('no sign of life');
  };
  const interrupt = (): void => stop('was interrupted');
  const watch = accelerator === 'tcg' ? undefined : setTimeout(look, FIRST_SIGN_MS);
  const limit = setTimeout(() => stop('took too long'), run.timeoutMs);
  run.signal.addEventListener('abort', interrupt);
  try {
    if (run.signal.aborted) interrupt();
    await once(child, 'close');
  } finally {
    clearTimeout(watch);
    clearTimeout(limit);
    run.signal.removeEventListener('abort', interrupt);
  }
  return end === 'went off' && !hasSpoken(run) ? 'no sign of life' : end;
}

const kernelLog = (run: GuestRun) => join(run.exchange, 'kernel.log');

function hasSpoken(run: GuestRun): boolean {
  return (statSync(kernelLog(run), { throwIfNoEntry: false })?.size ?? 0) > 0;
}

function qemu(run: GuestRun, accelerator: string): string[] {
  const share = 'security_model=none,multidevs=remap';
  const monitor = join(run.exchange, 'monitor');
  return [
    'qemu-system-x86_64',
    ...['-M', 'q35', '-accel', accelerator, '-cpu', 'max', '-m', '2048', '-smp', '2'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-kernel', run.files.kernel, '-initrd', run.files.initramfs],
    // The command has the first line for itself; -1 ends the guest at once when its kernel panics.
    ...['-append', 'console=ttyS1 panic=-1'],
    ...['-serial', 'stdio', '-serial', `file:${kernelLog(run)}`],
    // Who is inside can say what happens to the hardware: see `warnOfDisk`.
    ...['-chardev', `socket,id=monitor,path=${monitor},server=on,wait=off`],
    ...['-mon', 'chardev=monitor,mode=readline'],
    ...['-chardev', `socket,id=inside,path=${monitor}`, '-device', 'virtio-serial-pci'],
    ...['-device', 'virtserialport,chardev=inside,name=monitor'],
    ...['-virtfs', `local,path=/,mount_tag=host,readonly=on,${share}`],
    ...['-virtfs', `local,path=${run.exchange},mount_tag=exchange,${share}`],
    ...['-device', 'virtio-rng-pci', '-device', 'virtio-scsi-pci'],
    ...diskSerials.flatMap((serial) => diskArguments(serial, join(run.disks, serial))),
  ];
}

async function statusAfter(run: GuestRun, end: End): Promise<number> {
  const status = await readFile(join(run.exchange, 'status'), 'utf8').catch(() => '');
  if (end !== 'went off' || status === '') {
    throw new Error(`the guest ${end} before its command had ended\n${await lastLines(run)}`);
  }
  return Number(status);
}

async function lastLines(run: GuestRun): Promise<string> {
  const text = await readFile(kernelLog(run), 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-25).join('\n');
}
