import { formatQuantity } from '../model/quantity.ts';
import type { VolumeMode } from '../model/volume.ts';
import type { CountRule, Json, Plan, SizeRule } from './plan.ts';

type Schema = Readonly<Record<string, Json>>;

/** Every platform reads this one; newer drafts are optional for them. */
const draft = 'http://json-schema.org/draft-04/schema#';

/** What may be asked when an instance is made. */
export function createSchema({ size, count }: Plan): Schema {
  return objectOf({ ...sizeProperty(size), ...countProperty(count) });
}

/** The number of volumes is settled once an instance is there. */
export function updateSchema({ size }: Plan): Schema {
  return objectOf(sizeProperty(size));
}

/** What may be asked of a binding; it shapes the manifest in the answer and nothing else. */
export function bindSchema(volumeMode: VolumeMode): Schema {
  const path = { type: 'string', pattern: '^/[^\\u0000:]*$', maxLength: 1024 } as const;
  return objectOf(
    volumeMode === 'Block'
      ? { devicePath: { ...path, description: 'Where the container sees the device' } }
      : {
          mountPath: { ...path, description: 'Where the container sees the volume' },
          readOnly: { type: 'boolean', description: 'Mount it for reading only' },
        },
  );
}

function objectOf(properties: Schema): Schema {
  return { $schema: draft, type: 'object', properties, additionalProperties: false };
}

function sizeProperty(size: SizeRule): Schema {
  if (size.kind === 'fixed') {
    return {};
  }
  const [least, most] = [formatQuantity(size.least), formatQuantity(size.most)];
  return {
    size: {
      type: 'string',
      pattern: '^[0-9]+([.][0-9]+)?([kMGTPE]|[KMGTPE]i)?$',
      maxLength: 32,
      description: `Size of each volume, from ${least} to ${most}`,
      default: formatQuantity(size.usual),
    },
  };
}

function countProperty({ least, most, usual }: CountRule): Schema {
  if (least === most) {
    return {};
  }
  return {
    count: {
      type: 'integer',
      minimum: least,
      maximum: most,
      description: 'Number of volumes',
      default: usual,
    },
  };
}
