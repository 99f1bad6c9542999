import { copyFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { expect } from 'chai';

import { detach, loopsBelow } from '../cluster/leftover-disks.ts';
import { waitFor } from '../cluster/wait.ts';
import type { PersistentVolume } from '../../src/kube/objects.ts';
import { Kube } from '../support/kube.ts';
import { claim, MiB, pod } from '../support/objects.ts';
import { checkQuiet } from './checker.ts';
import { openGround, type Ground } from './ground.ts';
import { readWorld } from './world.ts';

const minute = 60_000;

/** What is read from disks and objects, and not only what is concluded from it. */
describe('the checker of chaos runs, on a real cluster', function () {
  this.timeout(3 * minute);
  let ground: Ground;
  let kube: Kube;
  let name: string;
  let node: string;
  let pool: string;

  before(async () => {
    ground = await openGround();
    kube = new Kube(ground.cluster);
    const className = ground.classes[0] ?? '';
    pool = className.split('.')[0] ?? '';
    await kube.create(claim('c', className, '4Mi'));
    await kube.create(pod('c', { claims: ['c'], schedulerName: 'berth-scheduler' }));
    node = await kube.nodeOf('c');
    name = (await kube.volumeOf('c')).metadata?.name ?? '';
    await waitFor('nothing to be found', async () => (await found()) === '', {
      timeoutMs: minute,
      explain: found,
    });
    // Frozen, nobody mends what is planted.
    for (const role of ground.programs.keys()) {
      if (/^(control|agent|scheduler)/.test(role)) ground.cluster.pause(role);
    }
  });

  after(async () => {
    for (const role of ground.programs.keys()) ground.cluster.resume(role);
    await ground.cluster.stop();
  });

  async function found(): Promise<string> {
    const world = await readWorld(ground.cluster.api, ground.places);
    const findings = checkQuiet(world, ground.places);
    return findings.map(({ kind, text }) => `${kind}: ${text}`).join('\n');
  }

  function imageOf(volume: string, on: string): string {
    return join(ground.places.folder(on, '/var/lib/berth'), 'pools', pool, `${volume}.img`);
  }

  it('sees a second PersistentVolume for the claim', async () => {
    const { spec } = await kube.get<PersistentVolume>('PersistentVolume', name);
    const metadata = { name: 'second' };
    await kube.create({ apiVersion: 'v1', kind: 'PersistentVolume', metadata, spec });

    expect(await found()).to.contain('violation: 2 PersistentVolumes for the claim');
  });

  it('sees a report that says more than there is', async () => {
    const report = { total: 44 * MiB, free: 44 * MiB, generation: 99, healthy: true };
    const annotations = { [`capacity.berth.dev/${pool}`]: JSON.stringify(report) };
    await ground.cluster.api.patch(`/api/v1/nodes/${node}`, { metadata: { annotations } });

    expect(await found()).to.contain(`violation: pool ${pool} of ${node} has ${39 * MiB} of`);
  });

  it('sees a second image on another node', async () => {
    const other = ground.places.nodes.find((one) => one !== node) ?? '';
    copyFileSync(imageOf(name, node), imageOf(name, other));

    const text = await found();

    expect(text).to.contain(`violation: 2 images of ${name}`);
    expect(text).to.contain(`leaked: ${imageOf(name, other)}, which no LocalVolume asks for`);
  });

  it('sees an image that has vanished, and the device that still holds it', async () => {
    const image = imageOf(name, node);
    const devices = await loopsBelow(dirname(image));
    rmSync(image);

    const text = await found();
    // Nobody finds a device by a file that is gone.
    await Promise.all(devices.map(detach));

    expect(text).to.contain(`violation: claim c: has no image in pool ${pool} of ${node}`);
    expect(text).to.match(/leaked: \/dev\/loop\d+ of /);
  });
});
