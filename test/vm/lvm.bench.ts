import { writeFile } from 'node:fs/promises';

import { runCommand } from '../../src/platform/run-command.ts';
import { Figures } from '../bench/figures.ts';
import { copyTimes, patterns } from '../bench/fio.ts';
import { sized } from '../support/identities.ts';
import { diskOfGuest } from './ground.ts';
import { lvmGround, type LvmGround } from './lvm-ground.ts';

const { signal } = new AbortController();
const rounds = 8;
const width = 16;
const mebibytes = 64;
const lvm = (...args: string[]) => runCommand('lvm', args);

/**
 * What the backend takes in a guest, whose processors may be emulated: only ratios mean anything.
 * The baseline is LVM itself, asked by hand for the same volume. Written to `figures.json`.
 */
describe('the lvm backend, measured', function () {
  this.timeout(0);
  let ground: LvmGround;
  const figures = new Figures();

  before(async () => {
    ground = await lvmGround();
    await ground.makeGroup({ 'ssd-a': 1024, 'ssd-b': 1024 });
  });
  after(async () => {
    await ground.cleanUp();
    await writeFile('figures.json', JSON.stringify(figures.all));
  });
  afterEach(() => ground.empty());

  it('makes and removes volumes as fast as LVM lets it', async () => {
    const backend = ground.open();
    const [made, removed, bareMade, bareRemoved]: number[][] = [[], [], [], []];
    for (let round = 0; round < rounds; round += 1) {
      const one = sized(String(round), 4);
      bareMade?.push(await timed(() => lvm('lvcreate', '-y', '-n', 'bare', '-L', '4m', 'guest')));
      bareRemoved?.push(await timed(() => lvm('lvremove', '-y', 'guest/bare')));
      made?.push(
        await timed(async () => {
          await backend.ensure(one, signal);
          await backend.attach(one, signal);
        }),
      );
      removed?.push(await timed(() => backend.remove(one, 'none', signal)));
    }
    const bare = (name: string, times: readonly number[] = []) => ({ name, times });
    figures.addPair('create.lvm', made ?? [], bare('create.lvm.bare', bareMade));
    figures.addPair('delete.lvm', removed ?? [], bare('delete.lvm.bare', bareRemoved));
  });

  it('makes and removes many at once', async () => {
    const backend = ground.open();
    const many = Array.from({ length: width }, (_, index) => sized(`many-${index}`, 4));
    const made = await Promise.all(
      many.map((one) =>
        timed(async () => {
          await backend.ensure(one, signal);
          await backend.attach(one, signal);
        }),
      ),
    );
    const removed = await Promise.all(
      many.map((one) => timed(() => backend.remove(one, 'none', signal))),
    );
    figures.addTimes(`create.lvm.parallel${width}`, made);
    figures.addTimes(`delete.lvm.parallel${width}`, removed);
  });

  it('reads and writes as its disk does', async () => {
    const backend = ground.open();
    const one = sized('io', mebibytes);
    await backend.ensure(one, signal);
    const volume = await backend.attach(one, signal);
    const raw = { path: await diskOfGuest('ssd-c'), atMebibytes: 0 };
    for (const pattern of patterns) {
      const times = await copyTimes({ raw, volume, pattern, mebibytes, rounds });
      const baseline = { name: `io.lvm.disk.${pattern}`, times: times.raw };
      figures.addPair(`io.lvm.${pattern}`, times.volume, baseline);
    }
  });
});

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
