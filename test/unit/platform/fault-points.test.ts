import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { expect } from 'chai';

import { faultPoints, type Fault } from '../../../src/platform/fault-points.ts';

const source = join(import.meta.dirname, '../../../src/platform/fault-points');

describe('fault points', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-faults-'));
    mkdirSync(join(directory, 'armed'));
    mkdirSync(join(directory, 'taken'));
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  function arm(point: string, fault: Fault, passing = 1): void {
    const content = { id: 'one', fault, passing };
    writeFileSync(join(directory, 'armed', point), JSON.stringify(content));
  }

  function taken(): string[] {
    return readdirSync(join(directory, 'taken'));
  }

  it('are not there without a directory', () => {
    expect(faultPoints(undefined)).to.equal(undefined);
  });

  it('do nothing unless they are armed', () => {
    arm('bind.other.before', 'fail');

    faultPoints(directory)?.pass('bind.this.before');

    expect(taken()).to.deep.equal([]);
  });

  it('fail at the passing that was asked for, and once', () => {
    arm('bind.this.before', 'fail', 2);
    const points = faultPoints(directory);

    points?.pass('bind.this.before');
    expect(taken()).to.deep.equal([]);

    expect(() => points?.pass('bind.this.before')).to.throw('fault point bind.this.before');
    expect(taken()).to.deep.equal([`one.${process.pid}`]);
    points?.pass('bind.this.before');
  });

  it('end the process on the spot, and tell which one it was', async function () {
    this.timeout(30_000);
    arm('bind.this.before', 'kill');
    const file = pathToFileURL(`${source}${import.meta.filename.slice(-3)}`).href;
    const program = `
      const { faultPoints } = await import(${JSON.stringify(file)});
      faultPoints(${JSON.stringify(directory)}).pass('bind.this.before');
      process.exit(7);`;
    const args = [...process.execArgv, '--input-type=module', '--eval', program];
    const child = spawn(process.execPath, args, { stdio: 'ignore' });

    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];

    expect([code, signal]).to.deep.equal([null, 'SIGKILL']);
    expect(taken()).to.deep.equal([`one.${String(child.pid)}`]);
  });
});
