import { join } from 'node:path';
import type { Finding } from '../../model/health.ts';
import { judgeLvm, lvmReasons, type LvmState } from '../../model/lvm-state.ts';
import type { BlockDevice, HealthProbe } from '../../usecases/health-ports.ts';
import { wayDown } from '../way-down.ts';
import { rarely, type RareAnswer } from './rarely.ts';
import { readText } from './sys-files.ts';

export interface LvmParts {
  /** Runs one command of LVM. */
  readonly lvm: (args: readonly string[], signal?: AbortSignal) => Promise<string>;
  /** How often it is asked; milliseconds. */
  readonly everyMs: number;
  readonly sys?: string;
}

const patienceMs = 60_000;
const fields =
  'vg_name,vg_uuid,lv_name,lv_uuid,lv_layout,lv_health_status,lv_check_needed,metadata_percent';

/** What LVM knows of the copies of a mirror, of missing disks and of thin pools. */
export function lvmStates({ lvm, everyMs, sys = '/sys' }: LvmParts): HealthProbe {
  const probe = rarely(everyMs);

  /** Devices of LVM by the uuid that the kernel shows, which begins with those of group and volume. */
  async function ours(devices: readonly BlockDevice[]): Promise<ReadonlyMap<string, string>> {
    const named = await Promise.all(
      devices.map(async ({ name }) => {
        const uuid = await readText(join(sys, 'class/block', name, 'dm/uuid'));
        return uuid?.startsWith('LVM-') === true ? [[name, uuid] as const] : [];
      }),
    );
    return new Map(named.flat());
  }

  async function ask(devices: readonly BlockDevice[]): Promise<RareAnswer> {
    const uuids = await ours(devices);
    if (uuids.size === 0) {
      return { findings: [], next: 'usual' };
    }
    const format = ['--reportformat', 'json', '--binary', '--options', fields];
    const text = await lvm(['lvs', ...format], AbortSignal.timeout(patienceMs));
    const volumes = parseStates(text);
    const known = [...uuids].flatMap(([device, uuid]) =>
      volumes.filter((each) => uuid.startsWith(each.uuid)).map((state) => ({ device, state })),
    );
    const found = await Promise.all(
      known.map(async ({ device, state }) =>
        told(device, { ...state, leads: await wayDown(device, join(sys, 'class/block')) }),
      ),
    );
    const findings = found.flat();
    const isIll = findings.some(({ message }) => message !== undefined);
    return { findings, next: isIll ? 'soon' : 'usual' };
  }

  return (devices, { now, hinted }) => {
    const mapped = devices.filter(({ name }) => name.startsWith('dm-'));
    const isHinted = mapped.some(({ name }) => hinted.has(name));
    const all = mapped.length === 0 ? [] : [{ key: 'lvm', isHinted, ask: () => ask(mapped) }];
    return probe(all, now);
  };
}

function told(device: string, state: LvmState): readonly Finding[] {
  const ill = judgeLvm(state);
  return lvmReasons.map((reason) => ({
    ...{ device, reason, message: ill?.reason === reason ? ill.message : undefined },
  }));
}

type Row = Readonly<Record<string, string>>;

function parseStates(text: string): readonly (LvmState & { readonly uuid: string })[] {
  const { report } = JSON.parse(text) as { report: readonly { lv: readonly Row[] }[] };
  return report.flatMap(({ lv }) =>
    lv.map((row) => {
      const field = (name: string): string => row[name] ?? '';
      const plain = (name: string): string => field(name).replaceAll('-', '');
      return {
        uuid: `LVM-${plain('vg_uuid')}${plain('lv_uuid')}`,
        name: `${field('vg_name')}/${field('lv_name')}`,
        layout: field('lv_layout'),
        status: field('lv_health_status'),
        needsCheck: field('lv_check_needed') === '1',
        metadataUsed: partOf(field('metadata_percent')),
      };
    }),
  );
}

/** @returns nothing for what has no metadata of its own */
function partOf(percent: string): number | undefined {
  const part = Number.parseFloat(percent) / 100;
  return Number.isFinite(part) && part >= 0 ? part : undefined;
}
