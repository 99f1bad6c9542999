import { ok } from '../model/result.ts';
import type { Backend } from './backend.ts';
import { gapsOf, type Cutting } from './shared/gpt-layout.ts';
import { dropStalePartitionLinks } from './shared/gpt-links.ts';
import { parseDisks } from './shared/gpt-options.ts';
import { openGptPool } from './shared/gpt-pool.ts';
import { partitionBytesFor } from './shared/gpt-volumes.ts';
import { noSigns } from './shared/remembered.ts';

/** A disk on which anything stands beside the mark is not free. */
const onePerDisk: Cutting = {
  regions: (table) => (table.partitions.length === 1 ? gapsOf(table) : []),
  cut: (region) => region,
  takesWhole: true,
};

/** Each volume is a whole disk: the smallest one that can hold it. */
export const device: Backend = {
  parse: (source, devices) => {
    const options = parseDisks('device', source, devices);
    return options.ok
      ? ok({
          gives: 'device',
          fixedSize: true,
          allocatedFor: partitionBytesFor,
          signs: noSigns,
          open: (around) => openGptPool(onePerDisk, around),
        })
      : options;
  },
  dropStaleLinks: dropStalePartitionLinks,
};
