import { expect } from 'chai';

import { currentClaim } from '../../../src/kube/admission-view.ts';
import type { PersistentVolumeClaim } from '../../../src/kube/objects.ts';

function claimOf(uid: string, volumeName?: string, deletionTimestamp?: string) {
  return {
    metadata: { name: 'data', uid, ...(deletionTimestamp && { deletionTimestamp }) },
    spec: { storageClassName: 'fast', ...(volumeName && { volumeName }) },
  } as unknown as PersistentVolumeClaim;
}

describe('a claim as admission sees it', () => {
  const notAsked = (): never => {
    throw new Error('asked live');
  };

  it('comes from memory while it has no volume', async () => {
    const seen = await currentClaim(claimOf('u1'), notAsked);

    expect(seen).to.deep.equal({ uid: 'u1', className: 'fast', volume: '' });
  });

  it('is asked live when memory says that it is bound: there may be a new one by now', async () => {
    const seen = await currentClaim(claimOf('u1', 'pvc-u1'), async () => claimOf('u2'));

    expect(seen).to.deep.equal({ uid: 'u2', className: 'fast', volume: '' });
  });

  it('is asked live when memory does not have it, or only one that goes away', async () => {
    const old = claimOf('u1', 'pvc-u1', 'a moment ago');

    expect((await currentClaim(undefined, async () => claimOf('u2')))?.uid).to.equal('u2');
    expect((await currentClaim(old, async () => claimOf('u2', 'pvc-u2')))?.volume).to.equal(
      'pvc-u2',
    );
    expect(await currentClaim(old, async () => undefined)).to.equal(undefined);
  });

  it('does not tie a pod to the volume of a claim that is being deleted', async () => {
    const old = claimOf('u1', 'pvc-u1', 'a moment ago');

    expect((await currentClaim(old, async () => old))?.volume).to.equal('');
  });
});
