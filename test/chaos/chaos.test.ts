import { expect } from 'chai';

import { runChaos } from './run.ts';

const minute = 60_000;

describe('a short chaos run', () => {
  it('ends with nothing broken, left over or stuck', async function () {
    this.timeout(8 * minute);
    const said: string[] = [];

    const result = await runChaos({
      seed: 1,
      durationMs: 45_000,
      say: (line) => said.push(line),
    });

    const story = `${said.join('\n')}\nlogs and objects: ${result.evidence ?? 'none'}`;
    expect(result.findings, story).to.deep.equal([]);
    expect(result.kills, story).to.be.greaterThan(15);
    expect(result.hit.length, story).to.be.greaterThan(8);
  });
});
