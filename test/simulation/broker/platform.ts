import type { Answer } from '../../../src/broker/answer.ts';
import type { Json } from '../../../src/broker/plan.ts';
import type { InstanceService } from '../../../src/usecases/serve-instances.ts';
import type { Process } from '../world.ts';
import type { Ground, Replica } from './replica.ts';

interface Instance {
  readonly instanceId: string;
  readonly serviceId: string;
  readonly planId: string;
  readonly parameters: Readonly<Record<string, Json>>;
}

/** Nothing where the answer was lost: what was asked may have been done all the same. */
type Heard = Answer | undefined;

const isKnown = (heard: Heard): heard is Answer => heard !== undefined && heard.status < 500;
const textOf = (value: Json | undefined): string =>
  typeof value === 'string' ? value : JSON.stringify(value ?? '');
const isBusy = ({ body }: Answer): boolean => body['error'] === 'ConcurrencyError';

/** A platform that asks any replica, repeats what it got no answer to, and believes what it is told. */
export class BrokerPlatform {
  /** How many instances are not given up yet. */
  living = 0;
  isClosing = false;
  readonly #ground: Ground;
  readonly #process: Process;
  readonly #replica: () => Replica | undefined;

  constructor(ground: Ground, replica: () => Replica | undefined) {
    this.#ground = ground;
    this.#process = ground.world.process('platform');
    this.#replica = replica;
  }

  /** Makes one instance after the other, until nobody wants any. */
  begin(name: string): void {
    const live = async (): Promise<void> => {
      this.living += 1;
      for (let serial = 0; !this.isClosing; serial += 1) {
        await this.#pause(0, 20_000);
        await this.#live(`${name}-${serial}`);
      }
      this.living -= 1;
    };
    this.#ground.world.soon(
      this.#process,
      () => void live().catch((error: unknown) => this.#end(error)),
    );
  }

  #end(error: unknown): void {
    this.#ground.world.soon(undefined, () => {
      throw error;
    });
  }

  async #live(instanceId: string): Promise<void> {
    const { random } = this.#ground.world;
    const [planId = '', most = 1] =
      random.pick([['nodes', 3] as const, ['zones', 2] as const, ['kept', 2] as const]) ?? [];
    const parameters = { count: random.between(1, most), size: `${random.between(1, 3)}Gi` };
    const instance: Instance = { instanceId, serviceId: 'disks', planId, parameters };
    const operation = await this.#provision(instance);
    if (random.chance(0.2)) {
      await this.#pause(0, 5_000);
    } else {
      const ended = operation === undefined ? 'succeeded' : await this.#poll(instance, operation);
      if (ended === 'gone') {
        this.#ground.checks.violate(`${instanceId} is gone, and nobody gave it up`);
      }
      if (ended === 'succeeded') {
        await this.#use(instance);
      }
    }
    await this.#deprovision(instance);
  }

  /** The operation, or nothing where all was done before an answer came through. */
  async #provision(instance: Instance): Promise<string | undefined> {
    const { checks, world } = this.#ground;
    const request = { ...instance, context: {}, acceptsIncomplete: true };
    for (;;) {
      const asked = Array.from({ length: world.random.between(1, 2) }, () =>
        this.#ask((service) => service.provision(request)),
      );
      const known = (await Promise.all(asked)).filter(isKnown).filter((one) => !isBusy(one));
      const wrong = known.find(({ status }) => status !== 202 && status !== 200);
      const operations = new Set(known.flatMap(({ body }) => body['operation'] ?? []));
      if (wrong || operations.size > 1) {
        checks.violate(`provision of ${instance.instanceId} is answered ${JSON.stringify(known)}`);
      }
      if (known.length > 0) {
        await this.#provisionOther(instance);
        return [...operations].map(String)[0];
      }
      await this.#pause(100, 5_000);
    }
  }

  async #provisionOther(instance: Instance): Promise<void> {
    const parameters = { ...instance.parameters, size: '4Gi' };
    const request = { ...instance, parameters, context: {}, acceptsIncomplete: true };
    const heard = await this.#ask((service) => service.provision(request));
    if (isKnown(heard) && heard.status !== 409) {
      this.#ground.checks.violate(`another ${instance.instanceId} is answered ${heard.status}`);
    }
  }

  /** What became of an operation; `gone` where nobody knows the instance any more. */
  async #poll({ instanceId, serviceId }: Instance, operation: string): Promise<string> {
    for (;;) {
      await this.#pause(500, 5_000);
      const heard = await this.#ask((service) =>
        service.lastOperation({ instanceId, serviceId, operation }),
      );
      if (heard?.status === 410) {
        return 'gone';
      }
      if (heard?.status === 400) {
        this.#ground.checks.violate(`${instanceId}: ${textOf(heard.body['description'])}`);
      }
      const state = heard?.status === 200 ? textOf(heard.body['state']) : 'in progress';
      if (state !== 'in progress') {
        return state;
      }
    }
  }

  async #use(instance: Instance): Promise<void> {
    const { random } = this.#ground.world;
    const bindingId = 'b';
    const bind = { ...instance, bindingId, parameters: {}, context: {} };
    await this.#until(`bind ${instance.instanceId}`, [200, 201], (service) => service.bind(bind));
    this.#workload(instance.instanceId);
    if (random.chance(0.5)) {
      await this.#update(instance);
    }
    await this.#pause(0, 30_000);
    await this.#until(`unbind ${instance.instanceId}`, [200, 410], (service) =>
      service.unbind({ ...instance, bindingId }),
    );
  }

  /** Uses the claims, also for a while after the platform has forgotten it. */
  #workload(instanceId: string): void {
    const { cluster, world } = this.#ground;
    const names = [...cluster.claims.values()].flatMap((claim) =>
      claim.record === instanceId ? [claim.name] : [],
    );
    names.forEach((name) => cluster.users.add(name));
    world.after(world.random.between(1_000, 60_000), undefined, () => {
      names.forEach((name) => cluster.users.delete(name));
      cluster.changed(instanceId);
    });
  }

  async #update(instance: Instance): Promise<void> {
    const { instanceId } = instance;
    const parameters = { size: '4Gi' };
    const request = { ...instance, parameters, acceptsIncomplete: true };
    const { status, body } = await this.#until(`update ${instanceId}`, [200, 202], (service) =>
      service.update(request),
    );
    const ended =
      status === 200 ? 'succeeded' : await this.#poll(instance, textOf(body['operation']));
    const fetched = await this.#until(`fetch ${instanceId}`, [200], (s) => s.fetch(instanceId));
    const size = ended === 'succeeded' ? '4Gi' : instance.parameters['size'];
    const shown = (fetched.body['parameters'] as Record<string, Json>)['size'];
    if (shown !== size) {
      this.#ground.checks.violate(
        `${instanceId} shows ${textOf(shown)} after an update that ${ended}`,
      );
    }
  }

  async #deprovision(instance: Instance): Promise<void> {
    const { checks, cluster } = this.#ground;
    const { instanceId } = instance;
    const request = { ...instance, acceptsIncomplete: true };
    let ended = '';
    while (ended !== 'gone') {
      const heard = await this.#until(`deprovision ${instanceId}`, [202, 410], (service) =>
        service.deprovision(request),
      );
      const { status, body } = heard;
      ended = status === 410 ? 'gone' : await this.#poll(instance, textOf(body['operation']));
      await this.#pause(0, 5_000);
    }
    if (cluster.records.has(instanceId)) {
      checks.violate(`${instanceId} is answered to be gone, and is not`);
    }
  }

  /** Repeats a request until it is answered, and nobody is in its way. */
  async #until(
    what: string,
    allowed: readonly number[],
    ask: (service: InstanceService) => Promise<Answer>,
  ): Promise<Answer> {
    for (;;) {
      const heard = await this.#ask(ask);
      if (isKnown(heard) && allowed.includes(heard.status)) {
        return heard;
      }
      if (isKnown(heard) && !isBusy(heard)) {
        this.#ground.checks.violate(`${what} is answered ${JSON.stringify(heard)}`);
      }
      await this.#pause(100, 5_000);
    }
  }

  #pause(least: number, most: number): Promise<void> {
    const { world } = this.#ground;
    const ms = world.random.between(least, most);
    return new Promise((resolve) => void world.after(ms, this.#process, () => resolve()));
  }

  #ask(ask: (service: InstanceService) => Promise<Answer>): Promise<Heard> {
    const { world, faults } = this.#ground;
    const replica = this.#replica();
    return new Promise((resolve) => {
      let isOver = false;
      const end = (heard: Heard, ms = world.random.delay()): void => {
        isOver = true;
        world.after(ms, this.#process, () => resolve(heard));
      };
      // What a dead process has sent arrives within that time.
      const watch = (): void => {
        if (!isOver && replica?.process.alive === true) {
          world.after(1_000, this.#process, watch);
        } else if (!isOver) {
          end(undefined, 10_000);
        }
      };
      watch();
      if (replica) {
        world.soon(replica.process, () => {
          const hear = (heard: Heard): void =>
            end(world.random.chance(faults.call) ? undefined : heard);
          ask(replica.service).then(hear, () => end(undefined));
        });
      }
    });
  }
}
