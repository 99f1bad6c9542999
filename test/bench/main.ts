import { join } from 'node:path';

import { type BigGround, openBigGround } from './big-ground.ts';
import { measureBind } from './bind.ts';
import { measureBurst } from './burst.ts';
import { measureClaimToBound } from './claim-to-bound.ts';
import { openBackendGround, type BackendGround } from './backend-ground.ts';
import { measureCreate } from './create.ts';
import { Figures } from './figures.ts';
import { measureInGuest } from './guest.ts';
import { measureIdle } from './idle.ts';
import { measureIdleVolumes } from './idle-volumes.ts';
import { measureControlMemory, measureNodeMemory } from './memory.ts';
import { measureRecovery } from './recovery.ts';
import { openSmallGround, type SmallGround } from './small-ground.ts';
import { runStage, type Ground, type Stage } from './stage.ts';
import { measureThroughput } from './throughput.ts';
import { measureVerbs } from './verbs.ts';
import { measureWebhook } from './webhook.ts';
import { measureWakeup } from './wakeup.ts';

// Parts are named here; `BENCH_ONLY=filter,bind` runs those alone.

const manyNodes: Stage<BigGround> = {
  open: openBigGround,
  parts: {
    filter: measureVerbs,
    'memory.control': measureControlMemory,
    recovery: measureRecovery,
  },
};

const realVolumes: Stage<SmallGround> = {
  open: () => openSmallGround(),
  parts: {
    bind: measureBind,
    claim_to_bound: measureClaimToBound,
    wakeup: measureWakeup,
    // Leaves its volumes to the ones that follow.
    burst: measureBurst,
    idle: measureIdle,
    'memory.node': measureNodeMemory,
    webhook: measureWebhook,
  },
};

const manyAgents: Stage<SmallGround> = {
  open: () => openSmallGround(100),
  parts: { 'burst.100': measureBurst },
};

const allBackends: Stage<BackendGround> = {
  open: openBackendGround,
  parts: {
    create: measureCreate,
    io: measureThroughput,
    // Leaves its volumes.
    idle100: measureIdleVolumes,
  },
};

const inGuest: Stage<Ground> = {
  open: async () => ({ close: async () => {} }),
  parts: { guest: measureInGuest },
};

const only = process.env['BENCH_ONLY']?.split(',');
const wanted = (part: string): boolean => only === undefined || only.includes(part);

const figures = new Figures();
let failed = await runStage(manyNodes, figures, wanted);
failed += await runStage(realVolumes, figures, wanted);
failed += await runStage(allBackends, figures, wanted);
failed += await runStage(inGuest, figures, wanted);
failed += await runStage(manyAgents, figures, wanted);
figures.write(join(import.meta.dirname, 'results.json'));
console.log(figures.table());
process.exitCode = failed === 0 ? 0 : 1;
