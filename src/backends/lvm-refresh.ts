import { holdersOf } from '../platform/held.ts';
import { lostBelow } from '../platform/lost-below.ts';
import { kernelName, numberOf } from '../platform/mapped-devices.ts';
import type { Change } from './lvm-changes.ts';
import type { Group, LogicalVolume } from './lvm-look.ts';
import { recogniseAll } from './lvm-volumes.ts';

/**
 * Leads volumes to their disk again that was away for a while, and is back. Who uses one now has seen
 * errors and must end first. Of a thin pool nothing is led back: LVM fails halfway, and hangs from then on.
 *
 * @returns the group, with what its volumes still lead to and is gone
 */
export async function leadAllBack(change: Change, group: Group): Promise<Group> {
  const { volumes, thinPool } = recogniseAll(group, change.pool);
  const own = new Set([...volumes.map(({ lv }) => lv), thinPool]);
  const led: LogicalVolume[] = [];
  for (const lv of group.volumes) {
    led.push(own.has(lv) ? await leadBack(change, lv) : lv);
  }
  return { ...group, volumes: led };
}

export async function leadBack(change: Change, lv: LogicalVolume): Promise<LogicalVolume> {
  const isThere = lv.isActive && (await numberOf(lv.path)) !== undefined;
  const name = isThere ? await kernelName(lv.path) : '';
  const lost = isThere ? await lostBelow(name) : [];
  if (lost.length === 0) {
    return lv;
  }
  const isHopeless = change.problem !== undefined || lv.layout.includes('thin');
  if (isHopeless || (await isOpen(change, name))) {
    return { ...lv, lost };
  }
  // Where LVM refuses, as when the disk has gone again, what it still leads to says so.
  await change.lvm(['lvchange', '--refresh', `${change.group}/${lv.name}`]).catch(() => undefined);
  return { ...lv, lost: await lostBelow(name) };
}

/** Whether anybody has a mapped device open, or one that is made of it; also without holding it exclusively, as pods do with `volumeMode: Block`. */
async function isOpen({ run }: Pick<Change, 'run'>, name: string): Promise<boolean> {
  if (!name.startsWith('dm-')) {
    return true;
  }
  const holders = await holdersOf(name);
  if (holders.length > 0) {
    return (await Promise.all(holders.map((each) => isOpen({ run }, each)))).some(Boolean);
  }
  const [major = '', minor = ''] = (await numberOf(`/dev/${name}`))?.split(':') ?? [];
  const which = ['--major', major, '--minor', minor];
  const count = await run('dmsetup', ['info', '--columns', '--noheadings', '-o', 'open', ...which]);
  return Number(count) !== 0;
}
