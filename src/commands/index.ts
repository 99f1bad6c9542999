import { certs } from './certs.ts';
import type { Command } from './command.ts';
import { webhook } from './webhook.ts';

/** Every word that `berth` understands. The only list of commands. */
export const commands: Readonly<Record<string, Command>> = { webhook, certs };
