import { expect } from 'chai';
import { toNodeState, trimmedState } from '../../../src/kube/node-state.ts';
import type { Node } from '../../../src/kube/objects.ts';

function node(ready: object, unschedulable?: boolean): Node {
  const conditions = [
    { type: 'DiskPressure', status: 'True' },
    { type: 'Ready', ...ready },
  ];
  return { spec: { unschedulable, podCIDR: 'x' }, status: { conditions, images: [] } } as Node;
}

describe('toNodeState', () => {
  const at = '2026-01-01T00:00:00Z';

  it('reads what the condition Ready says, and since when', () => {
    const said = {
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped.',
      lastTransitionTime: at,
    };

    expect(toNodeState(node({ status: 'Unknown', ...said }))).to.deep.equal({
      ready: 'Unknown',
      said: `NodeStatusUnknown, Kubelet stopped., since ${at}`,
      since: Date.parse(at),
      unschedulable: false,
    });
    expect(toNodeState(node({ status: 'True' }, true))).to.deep.equal({
      ready: 'True',
      said: '',
      since: undefined,
      unschedulable: true,
    });
  });

  it('takes nothing and nonsense for nothing said', () => {
    for (const given of [
      {},
      { status: {} },
      { status: { conditions: [] } },
      node({ status: 'Fine' }),
    ]) {
      expect(toNodeState(given)).to.include({ ready: undefined, unschedulable: false });
    }
  });

  it('says the same of what is kept in memory, which a heartbeat does not change', () => {
    const ready = { status: 'False', reason: 'Why', message: 'That', lastTransitionTime: at };
    for (const cordoned of [true, undefined]) {
      const whole = node({ ...ready, lastHeartbeatTime: '2026-01-02T00:00:00Z' }, cordoned);

      expect(toNodeState(trimmedState(whole))).to.deep.equal(toNodeState(whole));
      expect(trimmedState(whole)).to.deep.equal(trimmedState(node(ready, cordoned)));
    }
  });
});
