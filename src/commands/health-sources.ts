import { lvmRunner } from '../backends/lvm-run.ts';
import { btrfsErrors, ext4Errors } from '../platform/health/filesystem-counters.ts';
import { kernelLog, kernelMessages } from '../platform/health/kernel-log.ts';
import { slowDevices } from '../platform/health/latency.ts';
import { lvmStates } from '../platform/health/lvm.ts';
import { readOnlyMounts } from '../platform/health/read-only.ts';
import { scsiErrors } from '../platform/health/scsi-errors.ts';
import { smart } from '../platform/health/smart.ts';
import type { RunCommand } from '../platform/run-command.ts';
import type { Log } from '../usecases/ports.ts';
import type { HealthWatchParts } from '../usecases/watch-health.ts';

export interface HealthSourceOptions {
  /** The mounts of the machine. */
  readonly hostMounts: string;
  /** How often programs are asked; 0: never. Milliseconds. */
  readonly healthProbeInterval: number;
}

/** All that the agent knows disks by. The readers read files, the probes start programs. */
export function healthSources(
  { hostMounts, healthProbeInterval: everyMs }: HealthSourceOptions,
  run: RunCommand,
  log: Log,
): Pick<HealthWatchParts, 'readers' | 'probes'> {
  return {
    readers: [
      ext4Errors(),
      btrfsErrors(),
      readOnlyMounts(hostMounts),
      kernelMessages(kernelLog()),
      scsiErrors(),
      slowDevices(),
    ],
    probes:
      everyMs === 0
        ? []
        : [smart({ run, log, everyMs }), lvmStates({ lvm: lvmRunner(run), everyMs })],
  };
}
