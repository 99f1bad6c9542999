import { certs } from './certs.ts';
import type { Command } from './command.ts';
import { control } from './control.ts';
import { node } from './node.ts';
import { orphansAdopt } from './orphans-adopt.ts';
import { orphansList } from './orphans-list.ts';
import { orphansPurge } from './orphans-purge.ts';
import { schedulerConfig } from './scheduler-config.ts';
import { webhook } from './webhook.ts';

/** Every word, or pair of words, that `berth` understands. The only list of commands. */
export const commands: Readonly<Record<string, Command>> = {
  control,
  node,
  webhook,
  certs,
  'scheduler-config': schedulerConfig,
  orphans: orphansList,
  'orphans list': orphansList,
  'orphans adopt': orphansAdopt,
  'orphans purge': orphansPurge,
};

export interface FoundCommand {
  readonly word: string;
  /** What follows the word. */
  readonly args: readonly string[];
  /** Missing where there is no such command. */
  readonly command: Command | undefined;
}

/** The command that a command line begins with: of one word, or of two. */
export function findCommand([first = '--help', ...rest]: readonly string[]): FoundCommand {
  const two = `${first} ${rest[0] ?? ''}`;
  return commands[two] === undefined
    ? { word: first, args: rest, command: commands[first] }
    : { word: two, args: rest.slice(1), command: commands[two] };
}
