import { brokerSettings } from '../config/broker-settings.ts';
import { certsSettings } from '../config/certs-settings.ts';
import { controlSettings } from '../config/control-settings.ts';
import { nodeSettings } from '../config/node-settings.ts';
import {
  orphansAdoptSettings,
  orphansListSettings,
  orphansPurgeSettings,
} from '../config/orphans-settings.ts';
import { schedulerConfigSettings } from '../config/scheduler-config-settings.ts';
import { webhookSettings } from '../config/webhook-settings.ts';
import { command, type Command } from './command.ts';

const orphansList = command(
  'list what lies in the pools and nobody asks for; see also adopt and purge',
  orphansListSettings,
  async () => (await import('./orphans-list.ts')).orphansList,
);

/** Every word, or pair of words, that `berth` understands. The only list of commands. */
export const commands: Readonly<Record<string, Command>> = {
  control: command(
    'scheduler extender, reconcile loops and capacity endpoint',
    controlSettings,
    async () => (await import('./control.ts')).control,
  ),
  node: command(
    'the agent of one node: makes and removes volumes, reports free capacity',
    nodeSettings,
    async () => (await import('./node.ts')).node,
  ),
  webhook: command(
    'admission: send pods to the scheduler and nodes of their volumes',
    webhookSettings,
    async () => (await import('./webhook.ts')).webhook,
  ),
  broker: command(
    'service broker: volumes for platforms that speak the Open Service Broker API',
    brokerSettings,
    async () => (await import('./broker.ts')).broker,
  ),
  certs: command(
    'make certificates for a webhook on your own machine',
    certsSettings,
    async () => (await import('./certs.ts')).certs,
  ),
  'scheduler-config': command(
    'print the configuration of kube-scheduler for a Kubernetes version',
    schedulerConfigSettings,
    async () => (await import('./scheduler-config.ts')).schedulerConfig,
  ),
  orphans: orphansList,
  'orphans list': orphansList,
  'orphans adopt': command(
    'give the data of an orphan back to a claim',
    orphansAdoptSettings,
    async () => (await import('./orphans-adopt.ts')).orphansAdopt,
  ),
  'orphans purge': command(
    'erase and remove an orphan now',
    orphansPurgeSettings,
    async () => (await import('./orphans-purge.ts')).orphansPurge,
  ),
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
