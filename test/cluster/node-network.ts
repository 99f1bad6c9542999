import { NODES_PER_SLOT, networkOf } from './slots.ts';
import { runCommand } from './run-command.ts';

/**
 * The address of one node: on the loopback link, so that it is reachable on this machine and nowhere else, yet not
 * in 127.0.0.0/8, which a kubelet refuses as its own.
 */
export function nodeAddress(slot: number, nodeIndex: number): string {
  return `${networkOf(slot, nodeIndex)}.254`;
}

export async function addNodeAddress(address: string): Promise<void> {
  await runCommand('ip', ['address', 'replace', `${address}/32`, 'dev', 'lo']);
}

/** Takes all addresses of a slot's nodes off again. Repeatable. */
export async function removeNodeNetwork(slot: number): Promise<void> {
  const present = await loopbackAddresses();
  for (let index = 0; index < NODES_PER_SLOT; index += 1) {
    const address = nodeAddress(slot, index);
    if (present.includes(address)) {
      await runCommand('ip', ['address', 'delete', `${address}/32`, 'dev', 'lo']);
    }
  }
}

async function loopbackAddresses(): Promise<string[]> {
  const output = await runCommand('ip', ['-json', 'address', 'show', 'dev', 'lo']);
  const links = JSON.parse(output) as { addr_info?: { local: string }[] }[];
  return links.flatMap((link) => link.addr_info ?? []).map(({ local }) => local);
}
