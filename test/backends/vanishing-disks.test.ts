import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { describeError } from '../../src/model/errors.ts';
import { runCommand, type RunCommand } from '../../src/platform/run-command.ts';
import type { StorageBackend } from '../../src/usecases/ports.ts';
import { gptGround, type GptGround } from '../support/gpt-pool.ts';
import { sized } from '../support/identities.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { read } from './contract.ts';

const { signal } = new AbortController();
const volume = (label: string) => sized(label, 4);
const [one, two, three] = [volume('1'), volume('2'), volume('3')];

interface Act {
  readonly does: string;
  readonly run: (backend: StorageBackend) => Promise<unknown>;
  /** Brings everything to where it was before. */
  readonly undo?: (backend: StorageBackend) => Promise<unknown>;
}

const acts: readonly Act[] = [
  {
    does: 'a volume is made',
    run: (backend) => backend.ensure(two, signal),
    undo: (backend) => backend.remove(two, 'none', signal),
  },
  {
    does: 'a volume is removed',
    run: (backend) => backend.remove(three, 'zero', signal),
    undo: (backend) => backend.ensure(three, signal),
  },
  {
    does: 'a volume is adopted',
    run: (backend) => backend.adopt(three, two, signal),
    undo: (backend) => backend.adopt(two, three, signal),
  },
  { does: 'a volume is looked for', run: (backend) => backend.find(one, signal) },
  { does: 'a volume is attached', run: (backend) => backend.attach(one, signal) },
  { does: 'the pool is measured', run: (backend) => backend.usage(signal) },
];

describe('a disk that goes in the middle of something', function () {
  this.timeout(120_000);
  let ground: GptGround;

  before(function () {
    needLoopDevices(this);
  });

  afterEach(() => ground.cleanUp());

  const loseAll = async (): Promise<void> => {
    for (const path of ground.paths()) await ground.disks.lose(path);
  };

  /** Runs programs; once the n-th one has ended, all disks are gone: what stands between two programs meets it too. */
  function losing(steps: number): { readonly run: RunCommand; readonly isLost: () => boolean } {
    let count = 0;
    const run: RunCommand = async (...call) => {
      try {
        return await runCommand(...call);
      } finally {
        count += 1;
        if (count === steps) await loseAll();
      }
    };
    return { run, isLost: () => count >= steps };
  }

  async function expectGone(backend: StorageBackend): Promise<void> {
    const { total, volumes, disks = [] } = await backend.usage(signal);
    expect({ total, volumes }).to.deep.equal({ total: 0, volumes: [] });
    expect(disks.filter(({ state }) => state === 'used')).to.deep.equal([]);
    expect(await backend.list(signal)).to.deep.equal({ volumes: [], strays: [] });
  }

  /** Each of those that may be there is there once and whole, or not at all. */
  async function expectWhole(mayBe: readonly string[]): Promise<void> {
    const backend = ground.open();
    const { volumes, strays } = await backend.list(signal);
    expect(strays).to.deep.equal([]);
    const names = volumes.map(({ name }) => name);
    expect(names).to.include(one.name);
    expect(mayBe).to.include.members(names);
    expect(new Set(names).size).to.equal(names.length);
    expect(await read(await backend.attach(one, signal), 4)).to.equal('kept');
  }

  for (const [kind, sizes, tried] of [
    ['partition', [18], acts],
    ['device', [18, 18, 18], acts.slice(0, 2)],
  ] as const) {
    describe(`(${kind})`, () => {
      beforeEach(async () => {
        ground = await gptGround(kind, sizes);
        const backend = ground.open();
        await backend.ensure(one, signal);
        await backend.ensure(three, signal);
        await writeFile(await backend.attach(one, signal), 'kept', { flag: 'rs+' });
      });

      for (const { does, run, undo } of tried) {
        it(`while ${does} leaves everything as it was, or done`, async () => {
          for (let steps = 1; ; steps += 1) {
            const { run: program, isLost } = losing(steps);
            const refused = await run(ground.open({ run: program })).then(
              () => undefined,
              describeError,
            );
            if (!isLost()) {
              break;
            }
            await expectGone(ground.open());
            for (const path of ground.paths()) await ground.disks.restore(path);
            expect(refused ?? 'done', `after program ${steps}`).to.match(
              /done|fast|loop|space|pvc-/,
            );
            await expectWhole([one.name, two.name, three.name]);
            await run(ground.open());
            await undo?.(ground.open());
          }
        });
      }
    });
  }
});
