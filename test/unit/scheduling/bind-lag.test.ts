import { expect } from 'chai';
import { BindLag } from '../../../src/scheduling/bind-lag.ts';

describe('BindLag', () => {
  let lag: BindLag;
  beforeEach(() => {
    lag = new BindLag();
  });

  function bindAfter(ms: number): void {
    lag.filtered('a', 0);
    lag.bindCame('a', ms);
  }

  it('has holds last a second while binds come soon', () => {
    expect(lag.holdMs).to.equal(1_000);
    bindAfter(20);

    expect(lag.holdMs).to.equal(1_000);
  });

  it('has them last three times as long as the slowest bind of late, and never too long', () => {
    bindAfter(600);
    bindAfter(10);
    expect(lag.holdMs).to.be.closeTo(1_620, 1);
    bindAfter(20_000);

    expect(lag.holdMs).to.equal(3_000);
  });

  it('comes back when binds are quick again', () => {
    bindAfter(2_000);
    for (let i = 0; i < 20; i += 1) {
      bindAfter(5);
    }

    expect(lag.holdMs).to.equal(1_000);
  });

  it('measures from the last filter of a pod, and only its first bind', () => {
    lag.filtered('a', 0);
    lag.filtered('a', 5_000);
    lag.bindCame('a', 5_500);
    lag.bindCame('a', 9_000);
    lag.bindCame('unknown', 9_000);

    expect(lag.holdMs).to.equal(1_500);
  });

  it('forgets pods whose bind never came', () => {
    lag.filtered('gone', 0);
    lag.filtered('a', 60_000);
    lag.bindCame('gone', 60_001);

    expect(lag.holdMs).to.equal(1_000);
  });
});
