import { expect } from 'chai';
import type { StorageNodeObject } from '../../../src/kube/custom-objects.ts';
import { discoveryFacts, type FactsState } from '../../../src/kube/discovery-facts.ts';
import type { PersistentVolume } from '../../../src/kube/objects.ts';
import { mediumAnnotation, mediumNodeAnnotation } from '../../../src/model/names.ts';

const none = { get: () => undefined, list: () => [] };

function state(nodes: readonly StorageNodeObject[], volumes: readonly PersistentVolume[]) {
  return {
    ...{ nodes: none, pools: none, classes: none },
    storageNodes: {
      get: (name: string) => nodes.find(({ metadata }) => metadata.name === name),
      list: () => nodes,
    },
    persistentVolumes: { ...none, list: () => volumes },
  } as unknown as FactsState;
}

const volumeOn = (node: string, id: string): PersistentVolume => ({
  metadata: {
    name: 'disk-1',
    annotations: { [mediumAnnotation]: id, [mediumNodeAnnotation]: node },
  },
});

const askedOn = (name: string, id: string): StorageNodeObject => ({
  metadata: { name },
  spec: { clean: [{ pool: 'p', id, volume: 'disk-2', volumeUid: 'u', requestedAt: '' }] },
});

const telling = (object: StorageNodeObject, id: string): StorageNodeObject => {
  const entry = { name: 'x', path: '/mnt/x', id, bytes: 1, mode: 'Filesystem', state: 'available' };
  const discovered = [{ pool: 'p', healthy: true, entries: [entry] }];
  return { ...object, status: { discovered } } as StorageNodeObject;
};

describe('where else a medium is, or was', () => {
  const elsewhere = (id: string, ...about: Parameters<typeof state>) =>
    discoveryFacts('n1', state(...about), () => undefined).elsewhere(id);

  it('is the node whose volume it is, until that is gone', () => {
    expect(elsewhere('fs-1', [], [volumeOn('n2', 'fs-1')])).to.equal('disk-1');
    expect(elsewhere('fs-1', [], [volumeOn('n2', 'fs-2')])).to.equal(undefined);
    expect(elsewhere('fs-1', [], [volumeOn('n1', 'fs-1')])).to.equal(undefined);
  });

  it('is the node that was asked to clean it: it is not clean because it was moved', () => {
    expect(elsewhere('fs-1', [askedOn('n2', 'fs-1')], [])).to.equal('disk-2');
    expect(elsewhere('fs-1', [askedOn('n1', 'fs-1')], [])).to.equal(undefined);
  });

  it('is nowhere where both have one, or where ids are those of places', () => {
    expect(elsewhere('fs-1', [telling(askedOn('n2', 'fs-1'), 'fs-1')], [])).to.equal(undefined);
    const tmpfs = 'mount-tmpfs-tmpfs@/mnt/x';
    expect(elsewhere(tmpfs, [askedOn('n2', tmpfs)], [volumeOn('n2', tmpfs)])).to.equal(undefined);
  });
});
