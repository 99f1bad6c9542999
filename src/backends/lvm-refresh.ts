import { holdersOf } from '../platform/held.ts';
import { ifThere } from '../platform/files.ts';
import { kernelName, numberOf } from '../platform/mapped-devices.ts';
import { wayDown } from '../platform/way-down.ts';
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
  // It may be removed at this moment.
  const name = lv.isActive ? await ifThere(kernelName(lv.path)) : undefined;
  const leads = name === undefined ? undefined : await wayDown(name);
  if (name === undefined || leads === undefined || leads.lost.length === 0) {
    return lv;
  }
  const isHopeless = change.problem !== undefined || lv.layout.includes('thin');
  if (isHopeless || (await isOpen(change, name))) {
    return { ...lv, leads };
  }
  // Where LVM refuses, as when the disk has gone again, what it still leads to says so.
  await change.lvm(['lvchange', '--refresh', `${change.group}/${lv.name}`]).catch(() => undefined);
  return { ...lv, leads: await wayDown(name) };
}

/**
 * Whether anybody has a mapped device open, or one that is made of it; also without holding it
 * exclusively, as pods do with `volumeMode: Block`. Where nobody can tell, somebody has.
 */
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
  const shown = ['--columns', '--noheadings', '-o', 'open'];
  const count = await run('dmsetup', ['info', ...shown, ...which]).catch(() => 'unknown');
  return count.trim() !== '0';
}
