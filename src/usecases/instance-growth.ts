import { leastAsk, type ClaimPart } from '../broker/parts.ts';
import type { Refusal } from './broker-ports.ts';
import { undo, type Again, type InstanceWorkPorts, type Scene } from './instance-scene.ts';

export async function grow(
  claims: readonly ClaimPart[],
  scene: Scene,
  ports: InstanceWorkPorts,
): Promise<Again> {
  const { namespace, wants } = scene.moment.instance;
  const answers = await Promise.all(
    claims.map((claim) => ports.parts.resize(namespace, claim, wants.bytes)),
  );
  const refusal = answers.find((one): one is Refusal => one !== undefined);
  return refusal ? undo(refusal.refused, scene, ports) : 'soon';
}

/**
 * Takes back what was asked for and not given. What Kubernetes does not take back stays
 * asked for, and the volumes grow once there is room.
 *
 * @returns why the operation fails then, or when to look again
 */
export async function shrink(
  claims: readonly ClaimPart[],
  scene: Scene,
  ports: InstanceWorkPorts,
): Promise<Again | { readonly reason: string }> {
  const { namespace, operation, wants } = scene.moment.instance;
  const before = operation.before?.wants.bytes ?? wants.bytes;
  const answers = await Promise.all(
    claims.map((claim) => ports.parts.resize(namespace, claim, leastAsk(claim, before))),
  );
  const stuck = claims.filter((_claim, index) => answers[index] !== undefined);
  if (stuck.length === 0) {
    return 'soon';
  }
  const { work } = scene.moment.instance.progress;
  const names = stuck.map(({ name }) => name).join(', ');
  const reason = `${work?.reason ?? ''}; what was asked for cannot be taken back, and is given when there is room: ${names}`;
  return { reason };
}
