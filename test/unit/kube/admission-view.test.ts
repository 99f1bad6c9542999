import { expect } from 'chai';
import { admissionView } from '../../../src/kube/admission-view.ts';
import type { OpenWatch } from '../../../src/kube/reflector.ts';
import type { PersistentVolumeClaim } from '../../../src/kube/objects.ts';
import { waitFor } from '../../cluster/wait.ts';
import { FakeApi } from '../../support/fake-api.ts';
import { silentLog } from '../../support/fake-cluster.ts';

const livePath = '/api/v1/namespaces/shop/persistentvolumeclaims/data';

function claim(uid: string, volumeName?: string): PersistentVolumeClaim {
  return {
    metadata: { namespace: 'shop', name: 'data', uid },
    spec: { ...(volumeName && { volumeName }) },
  };
}

describe('admissionView', () => {
  const stopping = new AbortController();
  after(() => stopping.abort());

  /** A view that remembers one claim, while another one of its name is there. */
  async function open(remembered: PersistentVolumeClaim, there: PersistentVolumeClaim) {
    const api = new FakeApi();
    const get = async <T>(path: string): Promise<T> => {
      if (path === livePath) {
        return there as T;
      }
      const items = path.includes('persistentvolumeclaims') ? [remembered] : [];
      return { metadata: { resourceVersion: '1' }, items } as T;
    };
    const openWatch: OpenWatch = async () => new AbortController();
    const client = { api: Object.assign(api, { get }), openWatch };
    const view = admissionView(client, silentLog);
    void view.run(stopping.signal);
    await waitFor('the lists', () => view.notReady().length === 0, { timeoutMs: 5_000 });
    return view;
  }

  it('believes memory of a claim without a volume', async () => {
    const view = await open(claim('old'), claim('new', 'pvc-new'));

    expect((await view.claim('shop', 'data'))?.uid).to.equal('old');
  });

  it('looks again at a claim with a volume, which would tie the pod to a node', async () => {
    const view = await open(claim('old', 'pvc-old'), claim('new'));

    expect(await view.claim('shop', 'data')).to.deep.include({ uid: 'new', volume: '' });
  });
});
