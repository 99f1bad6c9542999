import { expect } from 'chai';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import type { PersistentVolume } from '../../src/kube/objects.ts';
import { HollowPool } from '../support/hollow-pool.ts';
import { Installation } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { claim, pod, storageClass, storagePool } from '../support/objects.ts';

describe('a pool of directories', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let kube: Kube;
  let disks: HollowPool;
  const schedulerName = 'berth-scheduler';

  before(async function () {
    if (process.getuid?.() !== 0 && process.env['CI'] !== 'true') {
      this.skip();
    }
    cluster = await startCluster();
    kube = new Kube(cluster);
    const berth = await Installation.on(cluster);
    await cluster.addHollowNodes(['d1'], { labels: { 'kubernetes.io/hostname': 'd1' } });
    const declared = storagePool('dirs', '64Mi');
    const directory = { directory: '/var/lib/berth/pools/dirs', size: '64Mi', enforcement: 'none' };
    await kube.create({ ...declared, spec: { nodeSelector: {}, backend: 'directory', directory } });
    await kube.create(storageClass('dirs', { pool: 'dirs' }));
    const control = await berth.startControl();
    await berth.startScheduler(control);
    await berth.startHollowAgent('d1');
    await berth.poolsReported('dirs', ['d1']);
    disks = new HollowPool(berth, kube, 'd1');
  });

  after(() => cluster?.stop());

  it('gives a pod a directory, and takes it back with all that is in it', async () => {
    await kube.create(claim('data', 'dirs', '5Mi'));
    await kube.create(pod('user', { claims: ['data'], schedulerName }));
    const { metadata = {}, spec } = await kube.volumeOf('data');
    const name = metadata.name ?? '';

    expect(await kube.nodeOf('user')).to.equal('d1');
    expect(spec?.local?.path).to.equal(`/run/berth/volumes/${name}`);
    const folder = join(disks.folder('dirs'), name);
    expect((await readdir(folder)).sort()).to.deep.equal(['data', 'volume.json']);
    expect(await readFile(join(folder, 'volume.json'), 'utf8')).to.include(name);
    await disks.freeIs('dirs', 59 * 1024 * 1024);

    await writeFile(join(folder, 'data', 'file'), 'of the pod');
    await disks.release('data').catch(() => undefined);
    await kube.delete('Pod', 'user');
    await kube.gone('PersistentVolume', name);
    await kube.noVolumesLeft();
    expect(await readdir(disks.folder('dirs'))).to.deep.equal(['pool.json']);
  });

  it('refuses raw devices with a reason, from the filter and where no filter is asked', async () => {
    for (const name of ['raw', 'assigned']) {
      const { spec, ...rest } = claim(name, 'dirs', '5Mi') as { spec: object };
      await kube.create({ ...rest, spec: { ...spec, volumeMode: 'Block' } });
    }
    const devices = (name: string) => ({
      containers: [
        {
          ...{ name: 'main', image: 'none', imagePullPolicy: 'Never' },
          volumeDevices: [{ name, devicePath: '/dev/raw' }],
        },
      ],
    });
    await kube.create(pod('raw', { claims: ['raw'], schedulerName, spec: devices('raw') }));
    await kube.create(
      pod('assigned', { claims: ['assigned'], spec: { ...devices('assigned'), nodeName: 'd1' } }),
    );

    expect(await kube.event('raw', 'FailedScheduling')).to.include(
      'berth: pool dirs gives directories, and volumeMode Block needs a device',
    );
    expect(await kube.event('raw', 'BerthNoRoom')).to.include('gives directories');
    expect(await kube.event('assigned', 'BerthProvisioningFailed')).to.include('gives directories');
    expect(await kube.list<PersistentVolume>('PersistentVolume')).to.deep.equal([]);
  });
});
