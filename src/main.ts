#!/usr/bin/env node
import { setMaxListeners } from 'node:events';
import { RefusedError, UsageError } from './commands/command.ts';
import { commands, findCommand } from './commands/index.ts';
import { describeSettings } from './config/settings.ts';

const { word, args, command } = findCommand(process.argv.slice(2));
const stopping = new AbortController();
// Each loop of a role waits for it, and there are more of them than ten.
setMaxListeners(0, stopping.signal);
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => stopping.abort());
}
const out = (text: string): void => void process.stdout.write(`${text}\n`);

if (command === undefined) {
  const list = Object.entries(commands).map(
    ([name, { summary }]) => `  ${name.padEnd(18)} ${summary}`,
  );
  const isHelp = ['--help', '-h', 'help'].includes(word);
  out(
    `${isHelp ? '' : `berth: "${word}" is not a command\n\n`}usage: berth <command> [--flag value]\n\n${list.join('\n')}`,
  );
  process.exitCode = isHelp ? 0 : 2;
} else if (args.includes('--help')) {
  out(`berth ${word}: ${command.summary}\n\n${describeSettings(command.settings)}`);
} else {
  try {
    await command.run({ args, env: process.env, out, signal: stopping.signal });
  } catch (error) {
    process.exitCode = error instanceof UsageError ? 2 : 1;
    const isForPeople = error instanceof UsageError || error instanceof RefusedError;
    const text = isForPeople ? error.message : String((error as Error).stack);
    process.stderr.write(`berth ${word}: ${text}\n`);
  }
}
