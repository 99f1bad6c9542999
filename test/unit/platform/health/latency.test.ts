import { expect } from 'chai';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { slowDevices } from '../../../../src/platform/health/latency.ts';
import type { BlockDevice } from '../../../../src/usecases/health-ports.ts';

const device = (name: string, below: readonly string[] = []): BlockDevice => ({
  ...{ name, number: '8:0', identity: `${name} 1`, below, isDisk: below.length === 0 },
});
const stack = [device('loop0', ['dm-0']), device('dm-0', ['sda']), device('sda')];

describe('the reader of latencies', () => {
  let sys: string;
  let now: number;
  let read: ReturnType<typeof slowDevices>;

  beforeEach(async () => {
    sys = await mkdtemp(join(tmpdir(), 'berth-sys-'));
    now = 0;
    read = slowDevices(sys);
  });

  afterEach(() => rm(sys, { recursive: true }));

  /** Looks 10 s later, when so many requests have taken so many milliseconds since the beginning. */
  async function look(counts: Readonly<Record<string, readonly [number, number]>>) {
    for (const [name, [ios, ms]] of Object.entries(counts)) {
      const folder = join(sys, 'class/block', name);
      await mkdir(folder, { recursive: true });
      const half = ios / 2;
      // Aligned as the kernel does it; the fields after the eleventh are missing in old ones.
      const line = `  ${half} 0 ${half * 8} ${ms / 2} ${half}\t0 ${half * 8} ${ms / 2} 0 ${ms} ${ms}\n`;
      await writeFile(join(folder, 'stat'), line);
    }
    now += 10_000;
    return (await read(stack, now)).map((finding) => `${finding.device} ${finding.reason}`);
  }

  it('names the lowest of several devices that are slow', async () => {
    await look({ sda: [0, 0], 'dm-0': [0, 0], loop0: [0, 0] });
    const all = { sda: [6, 9_000], 'dm-0': [6, 9_000], loop0: [6, 9_000] } as const;
    expect(await look(all)).to.deep.equal(['sda Slow']);
  });

  it('names what device-mapper makes slow by itself, and no loop device', async () => {
    await look({ sda: [0, 0], 'dm-0': [0, 0], loop0: [0, 0] });
    expect(await look({ sda: [6, 6], 'dm-0': [6, 9_000], loop0: [6, 9_000] })).to.deep.equal([
      'dm-0 Slow',
    ]);
  });

  it('says nothing at its first look, and of what it cannot read', async () => {
    expect(await look({ sda: [6, 9_000] })).to.deep.equal([]);
    await writeFile(join(sys, 'class/block/sda/stat'), 'no numbers');
    expect(await read(stack, now)).to.deep.equal([]);
  });
});
