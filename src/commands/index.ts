import { certs } from './certs.ts';
import type { Command } from './command.ts';
import { control } from './control.ts';
import { node } from './node.ts';
import { schedulerConfig } from './scheduler-config.ts';
import { webhook } from './webhook.ts';

/** Every word that `berth` understands. The only list of commands. */
export const commands: Readonly<Record<string, Command>> = {
  control,
  node,
  webhook,
  certs,
  'scheduler-config': schedulerConfig,
};
