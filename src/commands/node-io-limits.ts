import { describeError } from '../model/errors.ts';
import { blockCgroups } from '../platform/block-cgroups.ts';
import { limitedDevice } from '../platform/device-number.ts';
import { ioLimitMeter } from '../platform/io-limit-meter.ts';
import { podVolumes } from '../platform/pod-volumes.ts';
import { sleep } from '../platform/sleep.ts';
import { Controller } from '../usecases/controller.ts';
import { everyPod, IoLimiter } from '../usecases/limit-io.ts';
import type { Log } from '../usecases/ports.ts';
import type { NodeConfig, NodeParts } from './node-parts.ts';

const firstPauseMs = 100;
const longestPauseMs = 60_000;
/** What has passed by itself before is not worth a line. */
const worthLoggingMs = 3_000;

/**
 * Keeps the limits of volumes until `signal` fires. It hears of pods and containers from the kernel;
 * with every beat of the agent it makes sure that none was overlooked. While no volume of the node
 * has limits it looks at nothing.
 */
export async function keepIoLimits(
  parts: NodeParts,
  config: NodeConfig,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const limiter = new IoLimiter({
    ...parts,
    node: config.nodeName,
    pods: podVolumes(config.kubeletDir, log),
    throttle: blockCgroups(config.cgroupDir),
    deviceOf: limitedDevice,
    show: parts.showIoLimits,
    meter: ioLimitMeter(parts.metrics),
    now: Date.now,
    lookAt: (key) => limiting.enqueue(key),
  });
  const limiting = new Controller({
    reconcile: (key) => limiter.reconcile(key),
    onError: (key, error, pauseMs = worthLoggingMs) => {
      if (pauseMs >= worthLoggingMs) {
        log.warn('limits of volumes are not applied', { key, error: describeError(error) });
      }
    },
    sleep,
    firstPauseMs,
    longestPauseMs,
  });
  parts.memory.volumes.onChange((before, after) => {
    const hasLimits = (before ?? after)?.spec.ioLimits !== undefined;
    if (hasLimits && before?.status?.path !== after?.status?.path) {
      limiting.enqueue(everyPod);
    }
  });
  const running = limiting.run(signal);
  while (!signal.aborted) {
    limiting.enqueue(everyPod);
    await sleep(config.leaseRenew, signal);
  }
  await running;
  limiter.stop();
}
