import { certsSettings } from '../config/certs-settings.ts';
import { controlSettings } from '../config/control-settings.ts';
import { nodeSettings } from '../config/node-settings.ts';
import { schedulerConfigSettings } from '../config/scheduler-config-settings.ts';
import { webhookSettings } from '../config/webhook-settings.ts';
import { command, type Command } from './command.ts';

/** Every word that `berth` understands. The only list of commands. */
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
};
