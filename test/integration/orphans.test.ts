import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Orphan, PurgeEntry, StorageNodeObject } from '../../src/kube/custom-objects.ts';
import type { PersistentVolumeClaim } from '../../src/kube/objects.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { startCluster } from '../cluster/start-cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { HollowPool } from '../support/hollow-pool.ts';
import { Installation, type Role } from '../support/installation.ts';
import { Kube } from '../support/kube.ts';
import { needLoopDevices } from '../support/loop-pool.ts';
import { claim, MiB, storageClass, storagePool } from '../support/objects.ts';
import { rejection } from '../support/rejection.ts';

const soon = { timeoutMs: 30_000, intervalMs: 20 };
const storageNodePath = '/apis/berth.dev/v1alpha1/storagenodes/h1';
const all = 256 * MiB;

describe('what nobody asks for', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let kube: Kube;
  let disks: HollowPool;
  let agent: Role;

  before(async function () {
    needLoopDevices(this);
    cluster = await startCluster();
    kube = new Kube(cluster);
    const berth = await Installation.on(cluster);
    disks = new HollowPool(berth, kube, 'h1');
    await cluster.addHollowNodes(['h1'], { labels: { 'kubernetes.io/hostname': 'h1' } });
    await kube.create(storagePool('fast', '256Mi'));
    await kube.create({ ...storagePool('brief', '256Mi') });
    await keepFor('brief', 'forever');
    await kube.create(storageClass('fast', { pool: 'fast', erase: 'zero' }));
    await kube.create(storageClass('brief', { pool: 'brief' }));
    await berth.startControl();
    agent = await berth.startHollowAgent('h1');
    await berth.poolsReported('fast', ['h1']);
    await berth.poolsReported('brief', ['h1']);
  });

  after(() => cluster?.stop());

  const keepFor = (pool: string, text: string) =>
    cluster.api.patch(`/apis/berth.dev/v1alpha1/storagepools/${pool}`, {
      spec: { orphans: { keepFor: text } },
    });

  const storageNode = () => kube.get<StorageNodeObject>('StorageNode', 'h1');

  const orphanIs = (name: string): Promise<Orphan> =>
    waitFor(
      `orphan ${name}`,
      async () => (await storageNode()).status?.orphans?.find((one) => one.name === name),
      soon,
    );

  const noOrphans = () =>
    waitFor('no orphans', async () => (await storageNode()).status?.orphans?.length === 0, {
      ...soon,
      explain: async () => JSON.stringify((await storageNode()).status?.orphans),
    });

  const metric = async (line: string) =>
    waitFor(line, async () => (await (await fetch(`${agent.ops}/metrics`)).text()).includes(line), {
      ...soon,
      explain: async () => (await fetch(`${agent.ops}/metrics`)).text(),
    });

  const adopt = (name: string, claimName: string, ...more: string[]) =>
    disks.berth(
      ...['orphans', 'adopt', '--node', 'h1', '--pool', 'fast', '--name', name],
      ...['--claim', `default/${claimName}`, ...more],
    );

  async function volumeOf(claimName: string): Promise<string> {
    const { metadata } = await kube.get<PersistentVolumeClaim>('PersistentVolumeClaim', claimName);
    return `pvc-${metadata?.uid ?? ''}`;
  }

  it('is listed with size, age, reason and date, is told once, and its room is not free', async () => {
    const name = await disks.orphan('listed', 'fast', '5Mi', 'listed');
    const orphan = await orphanIs(name);

    expect(orphan).to.include({ pool: 'fast', bytes: 6 * MiB, usableBytes: 5 * MiB });
    const days = (Date.parse(orphan.removedAt ?? '') - Date.parse(orphan.since)) / 86_400_000;
    expect(days).to.equal(7);
    const table = await disks.berth('orphans');
    expect(table).to.match(new RegExp(`h1 +fast +${name} +6Mi +5Mi +\\d+s +in 6d +no LocalVolume`));
    expect(await kube.event('h1', 'OrphanFound'))
      .to.include(`${name} (6Mi)`)
      .and.include('in 7d');
    await metric('berth_node_orphans{pool="fast"} 1');
    await metric(`berth_node_orphan_bytes{pool="fast"} ${6 * MiB}`);
    await disks.freeIs('fast', all - 6 * MiB);

    await agent.program.restart();
    expect(await orphanIs(name)).to.deep.equal(orphan);
    const told = (await kube.events('h1')).filter(({ reason }) => reason === 'OrphanFound');
    expect(told.map(({ count }) => count)).to.deep.equal([1]);
  });

  it('is purged by a command, and only with a word of consent', async () => {
    const name = (await storageNode()).status?.orphans?.[0]?.name ?? '';
    const words = ['orphans', 'purge', '--node', 'h1', '--pool', 'fast', '--name'];

    expect((await rejection(disks.berth(...words, name))).message).to.include('--yes is missing');
    expect((await rejection(disks.berth(...words, 'pvc-none', '--yes'))).message).to.include(
      `lists no orphan pvc-none in pool fast: its orphans are fast/${name}`,
    );
    expect(await disks.berth(...words, name, '--erase', 'zero', '--yes')).to.include('is gone');
    expect(await disks.images('fast')).to.deep.equal([]);
    expect(await kube.event('h1', 'OrphanPurged')).to.include('5Mi overwritten with zeros');
    expect((await storageNode()).spec?.purge).to.deep.equal([]);
    await disks.freeIs('fast', all);
  });

  for (const [moment, isReached] of [
    ['as soon as it is asked', async () => (await kube.list('LocalVolume')).length > 0],
    [
      'when the image has its new name',
      async () => {
        const volume = await volumeOf('back');
        return (await disks.images('fast')).includes(`${volume}.img`);
      },
    ],
  ] as const) {
    it(`gives data back to a claim although the agent is killed ${moment}`, async () => {
      const name = await disks.orphan('lost', 'fast', '5Mi', 'precious');
      await orphanIs(name);
      const adopting = adopt(name, 'back', '--class', 'fast');
      await waitFor('the moment', isReached, { ...soon, intervalMs: 1 });
      await agent.program.kill('SIGKILL');
      await agent.program.start();

      expect(await adopting).to.include('claim default/back has the 5Mi');
      const { metadata, spec } = await kube.volumeOf('back');
      expect(spec?.capacity).to.deep.equal({ storage: '5Mi' });
      expect(await disks.read(metadata?.name ?? '', 8)).to.equal('precious');
      await noOrphans();
      expect(await disks.images('fast')).to.deep.equal([`${metadata?.name ?? ''}.img`]);
      await disks.freeIs('fast', all - 6 * MiB);

      await kube.delete('PersistentVolumeClaim', 'back');
      await kube.noVolumesLeft();
      await disks.freeIs('fast', all);
      expect(await disks.images('fast')).to.deep.equal([]);
    });
  }

  it('is given only to a claim that can have it', async () => {
    const name = await disks.orphan('picky', 'fast', '5Mi', 'picky');
    await orphanIs(name);
    await kube.create(claim('large', 'fast', '6Mi'));
    await kube.create(claim('elsewhere', 'brief', '1Mi'));
    const no = async (...words: string[]) => {
      const [claimName = '', ...more] = words;
      return (await rejection(adopt(name, claimName, ...more))).message;
    };

    expect(await no('large')).to.include('asks for 6Mi, the orphan has 5Mi');
    expect(await no('elsewhere')).to.include('class brief is of pool brief');
    expect(await no('large', '--class', 'brief')).to.include('is of class "fast"');
    expect(await no('new')).to.include('--class says of which class');
    expect(await no('new', '--class', 'none')).to.include('class "none" does not exist');
    expect(await kube.find('PersistentVolumeClaim', 'new')).to.equal(undefined);
    expect(await kube.list('LocalVolume')).to.deep.equal([]);
    await kube.delete('PersistentVolumeClaim', 'large', 'elsewhere');

    await kube.create(claim('fits', 'fast', '4Mi'));
    await adopt(name, 'fits');
    const { metadata } = await kube.volumeOf('fits');
    expect(await disks.read(metadata?.name ?? '', 5)).to.equal('picky');
    await kube.delete('PersistentVolumeClaim', 'fits');
    await kube.noVolumesLeft();
  });

  it('is an orphan again, with its data, when the claim goes before it has them', async () => {
    const name = await disks.orphan('wavering', 'fast', '5Mi', 'wavering');
    await orphanIs(name);
    await agent.program.stop();
    const adopting = rejection(adopt(name, 'gone', '--class', 'fast'));
    const volume = await waitFor('the claim', () => volumeOf('gone'), soon);
    await waitFor('the volume', () => disks.localVolume(volume), soon);
    await kube.delete('PersistentVolumeClaim', 'gone');
    expect((await adopting).message).to.include('the claim is gone');
    await agent.program.start();

    await kube.noVolumesLeft();
    expect((await orphanIs(name)).reason).to.include('no LocalVolume');
    expect(await kube.event(volume, 'AdoptionGivenUp')).to.include('its data is kept');
    await adopt(name, 'again', '--class', 'fast');
    expect(await disks.read(await volumeOf('again'), 8)).to.equal('wavering');
    await kube.delete('PersistentVolumeClaim', 'again');
    await kube.noVolumesLeft();
    await disks.freeIs('fast', all);
  });

  it('goes by itself when its time is up, and not before', async () => {
    const name = await disks.orphan('brief', 'brief', '5Mi', 'brief');
    expect(await orphanIs(name)).to.not.have.property('removedAt');
    await writeFile(join(disks.folder('brief'), 'notes.img'), 'of somebody');
    await keepFor('brief', '2s');

    const text = await kube.event('h1', 'OrphanPurged');
    expect(text).to.not.equal('');
    await waitFor(
      'the image to be gone',
      async () => (await disks.images('brief')).join() === 'notes.img',
      soon,
    );
    await waitFor(
      'the stray to be all that is left',
      async () => (await storageNode()).status?.orphans?.map((one) => one.name).join() === 'notes',
      soon,
    );
    const table = await disks.berth('orphans', 'list', '--pool', 'brief');
    expect(table).to.match(/notes .* never +\/.*no Berth header/);
  });

  const ask = (...entries: Partial<PurgeEntry>[]) =>
    cluster.api.patch(storageNodePath, {
      spec: {
        purge: entries.map((entry) => ({
          ...{ pool: 'brief', erase: 'discard', reason: 'test' },
          requestedAt: new Date().toISOString(),
          ...entry,
        })),
      },
    });

  const nothingAsked = () =>
    waitFor('no requests', async () => (await storageNode()).spec?.purge?.length === 0, {
      ...soon,
      explain: () => agent.program.tail(),
    });

  it('goes when the StorageNode asks for it, also when that was asked of a silent agent', async () => {
    const name = await disks.orphan('given-up', 'fast', '5Mi', 'x');
    const { volumeUid = '' } = await orphanIs(name);
    const alive = await disks.bind('alive', 'fast', '5Mi');
    const uid = (await disks.localVolume(alive))?.metadata.uid ?? '';
    await disks.write(alive, 'alive');
    await agent.program.stop();
    await ask(
      { pool: 'fast', name, volumeUid },
      { name: 'notes' },
      { name: 'nothing', volumeUid: 'of-that-name' },
      { pool: 'fast', name: alive, volumeUid: uid },
    );
    await agent.program.start();

    await nothingAsked();
    expect(await disks.images('brief')).to.deep.equal([]);
    expect(await disks.images('fast')).to.deep.equal([`${alive}.img`]);
    expect(await disks.read(alive, 5)).to.equal('alive');
    expect(await kube.event('h1', 'PurgeRefused')).to.include(`LocalVolume ${alive} (5Mi`);
    await disks.release('alive');
    await kube.noVolumesLeft();
    await disks.freeIs('fast', all);
    await noOrphans();
  });
});
