import { expect } from 'chai';

import { describeRound, Plan, type PlanOptions } from './plan.ts';

const options = {
  roundMs: 20_000,
  roles: { one: 2, two: 1 },
  points: { control: ['a', 'b', 'c'], node: ['d', 'e'] },
  classes: ['p.x', 'p.y', 'q.z'],
} satisfies Partial<PlanOptions>;

function drawn(seed: number): string {
  const plan = new Plan({ ...options, seed });
  const rounds = [plan.next(), plan.next(), plan.next()];
  return JSON.stringify([rounds, plan.nextTurn(), plan.nextTurn()]);
}

describe('the plan of a chaos run', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(drawn(7)).to.equal(drawn(7));
    expect(drawn(7)).not.to.equal(drawn(8));
  });

  it('does not hang on when fault points are asked for', () => {
    const plan = new Plan({ ...options, seed: 7 });
    const turn = plan.nextTurn();
    const round = describeRound(plan.next());

    const other = new Plan({ ...options, seed: 7 });

    expect(describeRound(other.next())).to.equal(round);
    expect(other.nextTurn()).to.deep.equal(turn);
  });

  it('kills at every fault point in its first turn', () => {
    const turn = new Plan({ ...options, seed: 7 }).nextTurn();

    expect(turn.map(({ point }) => point)).to.have.members(['a', 'b', 'c', 'd', 'e']);
    expect(turn.every(({ fault, passing }) => fault === 'kill' && passing === 1)).to.equal(true);
  });
});
