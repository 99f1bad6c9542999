import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import { MiB } from '../support/objects.ts';
import { checkFiles, checkPods, checkQuiet } from './checker.ts';
import {
  claimObject,
  image,
  localVolume,
  persistentVolume,
  podObject,
  totals,
  wellWorld,
} from './planted.ts';
import { Tenant } from './tenant.ts';
import type { World } from './world.ts';

/** A checker that sees nothing would let every run pass. */
describe('the checker of chaos runs', () => {
  it('finds nothing in a world that is as it should be', () => {
    expect(checkQuiet(wellWorld(), totals)).to.deep.equal([]);
  });

  it('lets a pod wait that fits nowhere', () => {
    const well = wellWorld();
    const claim = claimObject('big');
    const spec = { ...claim.spec, resources: { requests: { storage: '20Mi' } } };

    const world = {
      ...well,
      claims: [...well.claims, { ...claim, spec }],
      pods: [...well.pods, podObject('big', 'big')],
    };

    expect(checkQuiet(world, totals)).to.deep.equal([]);
  });

  const planted: Readonly<
    Record<string, readonly [finding: RegExp, (well: World) => Partial<World>]>
  > = {
    'an image that nobody asks for': [
      /leaked: .*pvc-uid-x\.img, which no LocalVolume asks for/,
      ({ files }) => ({ files: [...files, image('x', 'n2')] }),
    ],
    'a file that was never finished': [
      /leaked: .*which no LocalVolume asks for/,
      ({ files }) => ({
        files: [...files, { ...image('x', 'n2'), isImage: false, name: 'x.img.partial' }],
      }),
    ],
    'two images of one volume': [
      /violation: 2 images of pvc-uid-c: n1\/p, n2\/p/,
      ({ files }) => ({ files: [...files, image('c', 'n2')] }),
    ],
    'more in a pool than it has': [
      /violation: pool p of n1 holds \d+ bytes, its total is 20971520/,
      ({ files }) => ({ files: files.map((file) => ({ ...file, size: 21 * MiB })) }),
    ],
    'an image that has vanished': [
      /violation: claim c: has no image in pool p of n1/,
      () => ({ files: [] }),
    ],
    'an image of a namesake': [
      /violation: claim c: has no image in pool p of n1/,
      ({ files }) => ({
        files: files.map((file) => ({
          ...file,
          header: { name: file.name, pool: 'p', bytes: 8 * MiB, volumeUid: 'another' },
        })),
      }),
    ],
    'a second PersistentVolume of a claim': [
      /violation: 2 PersistentVolumes for the claim with uid uid-c/,
      ({ persistentVolumes }) => ({
        persistentVolumes: [...persistentVolumes, persistentVolume('c', 'n2')],
      }),
    ],
    'a second LocalVolume of a claim': [
      /violation: 2 LocalVolumes for the claim with uid uid-c/,
      ({ localVolumes }) => ({ localVolumes: [...localVolumes, localVolume('c', 'n2')] }),
    ],
    'a report that is not what the disk has': [
      /violation: pool p of n1 has 11534336 of 20971520 free, its Node says/,
      ({ nodes: [n1, n2] }) => ({
        nodes: [n1, n2].flatMap((node) =>
          node === undefined
            ? []
            : [{ metadata: { ...node.metadata, annotations: n2?.metadata.annotations ?? {} } }],
        ),
      }),
    ],
    'a link to another device': [
      /violation: claim c: its link leads elsewhere/,
      ({ loops }) => ({ loops: loops.map((loop) => ({ ...loop, inode: 8 })) }),
    ],
    'a PersistentVolume for another node': [
      /violation: claim c: its PersistentVolume names another node/,
      () => ({ persistentVolumes: [persistentVolume('c', 'n2')] }),
    ],
    'a volume that is lost': [
      /violation: claim c: its LocalVolume is Lost/,
      ({ localVolumes }) => ({
        localVolumes: localVolumes.map((volume) => ({ ...volume, status: { phase: 'Lost' } })),
      }),
    ],
    'a pod on another node than its volume': [
      /violation: pod c has node n2, its claim c is on n1/,
      () => ({ pods: [podObject('c', 'c', 'n2')] }),
    ],
    'a pod with a node and without its volume': [
      /violation: pod d has node n1, its claim d has no volume/,
      ({ claims, pods }) => ({
        claims: [...claims, claimObject('d')],
        pods: [...pods, podObject('d', 'd', 'n1')],
      }),
    ],
    'volumes without a claim': [
      /leaked: LocalVolume pvc-uid-c without[^]*leaked: PersistentVolume pvc-uid-c without/,
      () => ({ claims: [], pods: [] }),
    ],
    'a volume that a broken bind has left': [
      /leaked: claim d is not bound, and has the LocalVolume of a broken bind/,
      ({ claims, localVolumes }) => ({
        claims: [...claims, claimObject('d')],
        localVolumes: [...localVolumes, localVolume('d', 'n1')],
      }),
    ],
    'a loop device on a deleted image': [
      /leaked: \/dev\/loop2 of pvc-uid-x/,
      ({ loops }) => ({
        loops: [
          ...loops,
          ...loops.map((loop) => ({
            ...loop,
            device: '/dev/loop2',
            volume: 'pvc-uid-x',
            inode: 9,
          })),
        ],
      }),
    ],
    'a link without a volume': [
      /leaked: link pvc-uid-x on n2/,
      ({ links }) => ({
        links: [...links, { node: 'n2', name: 'pvc-uid-x', target: '/dev/loop1' }],
      }),
    ],
    'an orphan in a StorageNode': [
      /leaked: orphan pvc-uid-x on n1: nobody/,
      ({ storageNodes }) => ({
        storageNodes: storageNodes.map((one) => ({
          ...one,
          status: { ...one.status, orphans: [{ name: 'pvc-uid-x', reason: 'nobody' }] },
        })),
      }),
    ],
    'a pod that waits although it fits': [
      /stuck: pod d waits, and would fit on n1, n2/,
      ({ claims, pods }) => ({
        claims: [...claims, claimObject('d')],
        pods: [...pods, podObject('d', 'd')],
      }),
    ],
    'a pod that waits for the node of its volume': [
      /stuck: pod e waits, and would fit on n1$/,
      ({ pods }) => ({ pods: [...pods, podObject('e', 'c')] }),
    ],
    'a deleted claim that does not go': [
      /stuck: claim d is deleted, not used, and does not go/,
      ({ claims }) => {
        const { metadata, ...rest } = claimObject('d');
        return {
          claims: [...claims, { ...rest, metadata: { ...metadata, deletionTimestamp: 'x' } }],
        };
      },
    ],
  };

  for (const [what, [finding, change]] of Object.entries(planted)) {
    it(`sees ${what}`, () => {
      const well = wellWorld();

      const found = checkQuiet({ ...well, ...change(well) }, totals);

      expect(found.map(({ kind, text }) => `${kind}: ${text}`).join('\n')).to.match(finding);
    });
  }

  it('sees too much in a pool, and a half bound pod, also while everything is under way', () => {
    const well = wellWorld();
    const files = well.files.map((file) => ({ ...file, size: 21 * MiB }));
    const elsewhere = { ...well, pods: [podObject('c', 'c', 'n2')] };

    expect(checkFiles(files, totals)).to.have.length(1);
    expect(checkPods(elsewhere, elsewhere)).to.have.length(1);
    expect(checkPods(elsewhere, { ...well, pods: [] })).to.deep.equal([]);
  });

  describe('as the owner of data', () => {
    let folder: string;
    let device: string;
    let tenant: Tenant;
    const held = new Set(['c']);

    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'berth-tenant-'));
      device = join(folder, 'device');
      writeFileSync(device, '');
      truncateSync(device, 2 * MiB);
      mkdirSync(join(folder, 'volumes'));
      symlinkSync(device, join(folder, 'volumes/pvc-uid-c'));
      tenant = new Tenant({ ...totals, folder: () => folder });
    });

    afterEach(() => {
      rmSync(folder, { recursive: true });
    });

    it('is content with a volume that is empty at first and keeps what is written', async () => {
      expect(await tenant.moveIn(wellWorld(), held)).to.deep.equal([]);
      expect(tenant.volumes).to.equal(1);
      expect(await tenant.lookAfter()).to.deep.equal([]);
    });

    it('sees old bytes in a new volume', async () => {
      writeFileSync(device, Buffer.alloc(2 * MiB, 1));

      const found = await tenant.moveIn(wellWorld(), held);

      expect(found.map(({ text }) => text)).to.deep.equal([
        'the new volume of claim c on n1 holds old bytes at 0',
      ]);
    });

    it('sees data that was destroyed, until its claim is given up', async () => {
      await tenant.moveIn(wellWorld(), held);
      truncateSync(device, 0);
      truncateSync(device, 2 * MiB);

      expect(await tenant.lookAfter()).to.have.length(1);
      expect(await tenant.lookAfter([])).to.have.length(1);
      tenant.moveOut(['c']);
      expect(await tenant.lookAfter()).to.deep.equal([]);
    });
  });
});
