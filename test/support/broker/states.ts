import { expect } from 'chai';
import { ids, type Answered, type Platform } from './platform.ts';

/** Brings an instance into a state, in the way a platform would. */
export type Bring = (platform: Platform, id: string) => Promise<void>;

async function expecting(status: number, asked: Promise<Answered>): Promise<void> {
  const answered = await asked;
  expect(answered.status, JSON.stringify(answered.body)).to.equal(status);
}

const provisioning: Bring = (platform, id) => expecting(202, platform.provision(id));

const there: Bring = async (platform, id) => {
  await provisioning(platform, id);
  await platform.tell(id, { state: 'succeeded' });
};

const updating: Bring = async (platform, id) => {
  await there(platform, id);
  await expecting(202, platform.update(id, { ...ids, parameters: { size: '4Gi' } }));
};

const moving: Bring = async (platform, id) => {
  await there(platform, id);
  const to = { service_id: 'disks-id', plan_id: 'large-id' };
  await expecting(202, platform.update(id, to));
};

const bound: Bring = async (platform, id) => {
  await there(platform, id);
  await expecting(201, platform.bind(id, 'b1'));
};

const deprovisioning: Bring = async (platform, id) => {
  await there(platform, id);
  await expecting(202, platform.deprovision(id));
};

function failing(before: Bring, usable: boolean): Bring {
  return async (platform, id) => {
    await before(platform, id);
    const description = 'no room on any node';
    await platform.tell(id, { state: 'failed', description, usable, repeatable: usable });
  };
}

export const states = {
  none: async () => {},
  provisioning,
  /** Begun, and the working half has said so. */
  working: async (platform, id) => {
    await provisioning(platform, id);
    await platform.tell(id, { state: 'in progress', description: '1 of 2 volumes are there' });
  },
  there,
  'failed to provision': failing(provisioning, false),
  updating,
  updated: async (platform, id) => {
    await updating(platform, id);
    await platform.tell(id, { state: 'succeeded' });
  },
  'changing its plan': moving,
  'of another plan': async (platform, id) => {
    await moving(platform, id);
    await platform.tell(id, { state: 'succeeded' });
  },
  'failed to change its plan': failing(moving, true),
  'failed to update': failing(updating, true),
  'broken by an update': failing(updating, false),
  bound,
  'bound and updating': async (platform, id) => {
    await bound(platform, id);
    await expecting(202, platform.update(id, { ...ids, parameters: { size: '4Gi' } }));
  },
  deprovisioning,
  'stopped while provisioning': async (platform, id) => {
    await provisioning(platform, id);
    await expecting(202, platform.deprovision(id));
  },
  'failed to deprovision': failing(deprovisioning, true),
  'broken by deprovisioning': failing(deprovisioning, false),
  'about to go': async (platform, id) => {
    await deprovisioning(platform, id);
    await platform.tell(id, { state: 'succeeded' });
  },
  gone: async (platform, id) => {
    await deprovisioning(platform, id);
    await platform.forget(id);
  },
} satisfies Record<string, Bring>;

export type StateName = keyof typeof states;
