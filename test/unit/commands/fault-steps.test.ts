import { expect } from 'chai';

import {
  atSteps,
  commandsAtSteps,
  commandSteps,
  controlSteps,
  nodeSteps,
} from '../../../src/commands/fault-steps.ts';

const port = {
  kept: 'as it is',
  read: async (name: string): Promise<string> => `read ${name}`,
  write: async (): Promise<void> => {},
};

describe('steps of ports', () => {
  it('leave a port as it is where there are no fault points', async () => {
    const run = async (): Promise<string> => '';

    expect(atSteps(port, { read: 'a.read' }, undefined)).to.equal(port);
    expect(commandsAtSteps(run, undefined)).to.equal(run);
  });

  it('pass a point before and one after the call', async () => {
    const passed: string[] = [];
    const stepped = atSteps(port, { read: 'a.read' }, { pass: (point) => passed.push(point) });

    expect(await stepped.read('it')).to.equal('read it');
    await stepped.write();

    expect(passed).to.deep.equal(['a.read.before', 'a.read.after']);
    expect(stepped.kept).to.equal('as it is');
  });

  it('lose the answer of a call that was made when the point after it fails', async () => {
    const calls: string[] = [];
    const counted = { ...port, write: async () => void calls.push('written') };
    const pass = (point: string): void => {
      if (point === 'a.write.after') throw new Error('lost');
    };

    const error = await atSteps(counted, { write: 'a.write' }, { pass }).write().catch(String);

    expect(error).to.equal('Error: lost');
    expect(calls).to.deep.equal(['written']);
  });

  it('know the programs that backends run', async () => {
    const passed: string[] = [];
    const run = commandsAtSteps(async () => '', { pass: (point) => passed.push(point) });

    await run('losetup', ['--list']);
    await run('losetup', ['--direct-io=on', '--find', '--show', 'x.img']);

    expect(passed).to.deep.equal(['create.attach-device.before', 'create.attach-device.after']);
  });

  it('have names of their own', () => {
    const names = [
      ...Object.values(controlSteps).flatMap((steps) => Object.values<string>(steps)),
      ...Object.values(nodeSteps).flatMap((steps) => Object.values<string>(steps)),
      ...commandSteps.map(({ step }) => step),
    ];

    expect(new Set(names).size).to.equal(names.length);
    expect(names.every((name) => /^[a-z]+\.[a-z-]+$/.test(name))).to.equal(true);
  });
});
