import type { Command } from './command.ts';

/** Every word that `berth` understands. The only list of commands. */
export const commands: Readonly<Record<string, Command>> = {};
