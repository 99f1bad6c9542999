import { cleanMedium } from '../backends/discovery.ts';
import { lookForMedia } from '../backends/discovery-look.ts';
import { isDiscoverySpec, parseDiscoverySpec } from '../backends/discovery-options.ts';
import { toPoolDeclaration } from '../kube/storage-pools.ts';
import type { DiscoveryPool } from '../model/discovery.ts';
import { describeError } from '../model/errors.ts';
import { selectsNode } from '../model/pool-selector.ts';
import { DirectoryWatch, signsOf } from '../platform/directory-signs.ts';
import { runCommand } from '../platform/run-command.ts';
import { sleep } from '../platform/sleep.ts';
import { Controller } from '../usecases/controller.ts';
import type { FoundPool } from '../usecases/discovery-ports.ts';
import type { Log } from '../usecases/ports.ts';
import { DiscoveryTender } from '../usecases/tend-discovery.ts';
import type { NodeConfig, NodeParts } from './node-parts.ts';

export interface DiscoveryLoop {
  /** To be called when all is read. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

const lookKey = 'look';

/** Finds the media of discovery pools, and cleans those that it is asked to. */
export function discoveryLoop(parts: NodeParts, config: NodeConfig, log: Log): DiscoveryLoop {
  const { memory, discovery: board } = parts;
  const { nodeName: node, discoveryLook: lookEveryMs } = config;
  const onError = (key: string, error: unknown, pauseMs: number | undefined): void =>
    log.warn('discovery failed', { key, error: describeError(error), pauseMs });

  /** The pools of this node; those that cannot be read have their mistakes in place of a plan. */
  function declared() {
    const labels = parts.board.shown()?.labels ?? {};
    const asked = new Set(board.requests().map(({ pool }) => pool));
    return [...memory.pools.list()]
      .filter(({ spec }) => isDiscoverySpec(spec))
      .map(toPoolDeclaration)
      .filter(({ name, nodeSelector }) => selectsNode(nodeSelector, labels) || asked.has(name))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, spec }) => ({ name, parsed: parseDiscoverySpec(spec) }));
  }

  const pools = (): readonly DiscoveryPool[] =>
    declared().flatMap(({ name, parsed }) =>
      parsed.ok ? [{ name, plan: parsed.value.plan }] : [],
    );
  const mistaken = (): readonly FoundPool[] =>
    declared().flatMap(({ name, parsed }) =>
      parsed.ok ? [] : [{ pool: name, problem: parsed.error, entries: [] }],
    );
  const look = lookForMedia(runCommand, parts.cutting);
  const tender = new DiscoveryTender({
    ...{ node, pools, board, log, events: parts.events, now: Date.now },
    look: async (known, signal) => [
      ...(known.length > 0 ? await look(known, signal) : []),
      ...mistaken(),
    ],
    clean: cleanMedium(runCommand),
  });
  const cleaning = new Controller({ reconcile: tender.clean, onError, sleep, workers: 4 });
  const looking = new Controller({
    reconcile: async (_key, signal) => {
      await tender.look(signal);
      tender.due().forEach((id) => cleaning.enqueue(id));
      return undefined;
    },
    onError,
    sleep,
    longestPauseMs: 30_000,
  });
  const lookSoon = (): void => looking.enqueue(lookKey);
  const watch = new DirectoryWatch(lookSoon);

  /** What cannot be seen now is looked at closer: that says why. */
  async function signsNow(directories: readonly string[]): Promise<string> {
    try {
      return await signsOf(directories);
    } catch (error) {
      return describeError(error);
    }
  }

  /** Without any pool of this kind it looks at nothing at all. */
  async function keepLooking(signal: AbortSignal): Promise<void> {
    let before = '';
    while (!signal.aborted) {
      const directories = pools().map(({ plan }) => plan.directory);
      watch.set(directories);
      const signs = directories.length > 0 ? await signsNow(directories) : '';
      if (signs !== before) {
        before = signs;
        lookSoon();
      }
      await sleep(lookEveryMs, signal);
    }
    watch.set([]);
  }

  function listen(): void {
    memory.pools.onChange(lookSoon);
    memory.nodes.onChange((before, after) => {
      const [was, is] = [before, after].map((one) => JSON.stringify(one?.metadata?.labels));
      if (was !== is) {
        lookSoon();
      }
    });
    memory.storageNode.onChange((before, after) => {
      const [was, is] = [before, after].map((one) => JSON.stringify(one?.spec?.clean));
      if (was !== is) {
        lookSoon();
      }
    });
  }

  return {
    run: async (signal) => {
      listen();
      lookSoon();
      await Promise.all([looking.run(signal), cleaning.run(signal), keepLooking(signal)]);
    },
  };
}
