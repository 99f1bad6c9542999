import type { Backend } from './backend.ts';
import { gapsOf, type Cutting } from './shared/gpt-layout.ts';
import { dropStalePartitionLinks } from './shared/gpt-links.ts';
import { parseDisks } from './shared/gpt-options.ts';
import { openGptPool } from './shared/gpt-pool.ts';
import { partitionBytesFor } from './shared/gpt-volumes.ts';
import { noSigns } from './shared/remembered.ts';
import { ok } from '../model/result.ts';

/** A disk holds as many volumes as fit, each where the smallest gap is that can hold it. */
const manyPerDisk: Cutting = {
  regions: gapsOf,
  cut: ({ start }, wanted) => ({ start, bytes: wanted }),
  takesWhole: false,
};

/** Volumes are partitions of whole disks. */
export const partition: Backend = {
  parse: (source, devices) => {
    const options = parseDisks('partition', source, devices);
    return options.ok
      ? ok({
          gives: 'device',
          fixedSize: true,
          allocatedFor: partitionBytesFor,
          signs: noSigns,
          open: (around) => openGptPool(manyPerDisk, around),
        })
      : options;
  },
  dropStaleLinks: dropStalePartitionLinks,
};
