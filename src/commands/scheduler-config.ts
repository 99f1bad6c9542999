import { dump } from 'js-yaml';
import { schedulerFile } from '../config/scheduler-config.ts';
import type { schedulerConfigSettings } from '../config/scheduler-config-settings.ts';
import { UsageError, type Run } from './command.ts';

/** Prints the file that wires the kube-scheduler of one Kubernetes version to the extender. */
export const schedulerConfig: Run<typeof schedulerConfigSettings> = async (given, { out }) => {
  const { kubernetes: minor, ...wiring } = given;
  const file = schedulerFile({ minor, ...wiring });
  if (!file.ok) {
    throw new UsageError(`--format is "${wiring.format}": ${file.error}`);
  }
  out(
    [
      `# For the kube-scheduler of Kubernetes 1.${minor}, made by berth scheduler-config. Start it with`,
      ...file.value.flags.map((flag) => `#   ${flag}`),
      ...file.value.notes.map((note) => `# ${note}`),
      dump(file.value.content, { noRefs: true }).trimEnd(),
    ].join('\n'),
  );
};
