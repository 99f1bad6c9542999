import type { Command } from './command.ts';
import { control } from './control.ts';

/** Every word that `berth` understands. The only list of commands. */
export const commands: Readonly<Record<string, Command>> = { control };
