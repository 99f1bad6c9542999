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

/** What a node gives its pods addresses from, as the configuration of its network plug-in. */
export function podNetwork(slot: number, nodeIndex: number, stateDir: string): object {
  const network = networkOf(slot, nodeIndex);
  const range = {
    subnet: `${network}.0/24`,
    rangeStart: `${network}.2`,
    rangeEnd: `${network}.250`,
    gateway: gateway(slot, nodeIndex),
  };
  const ipam = {
    type: 'host-local',
    dataDir: stateDir,
    ranges: [[range]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  return { cniVersion: '0.4.0', name: 'berth', plugins: [{ type: 'ptp', ipam }] };
}

/** The address of this machine's end of every pod link of a node. */
function gateway(slot: number, nodeIndex: number): string {
  return `${networkOf(slot, nodeIndex)}.1`;
}

/** Takes the addresses of a slot's nodes off again, and their pods' links where they outlived the pods. Repeatable. */
export async function removeNodeNetwork(slot: number): Promise<void> {
  const indices = Array.from({ length: NODES_PER_SLOT }, (_, index) => index);
  const own = new Set(indices.map((index) => nodeAddress(slot, index)));
  const gateways = new Set(indices.map((index) => gateway(slot, index)));
  for (const { link, address } of await addresses()) {
    if (own.has(address) && link === 'lo') {
      await runCommand('ip', ['address', 'delete', `${address}/32`, 'dev', 'lo']);
    } else if (gateways.has(address)) {
      // The kernel removes it by itself a little later, with the pod's network namespace, and may be faster.
      await runCommand('ip', ['link', 'delete', link]).catch(() => undefined);
    }
  }
}

async function addresses(): Promise<{ link: string; address: string }[]> {
  const output = await runCommand('ip', ['-json', 'address', 'show']);
  const links = JSON.parse(output) as { ifname?: string; addr_info?: { local?: string }[] }[];
  return links.flatMap(({ ifname = '', addr_info = [] }) =>
    addr_info.map(({ local = '' }) => ({ link: ifname, address: local })),
  );
}
