import { err, ok } from '../model/result.ts';
import { erasePolicies, volumeModes } from '../model/volume.ts';
import { choice, duration, onOff, text } from './setting-kinds.ts';
import type { Setting } from './settings.ts';

/** The flags that all commands about orphans share. */
const kubeconfig = text({
  help: 'kubeconfig file; empty: as kubectl finds it',
  shown: '<file>',
  fallback: '',
});

/** The flags that name one orphan, as `berth orphans` lists it. */
const oneOrphan = {
  kubeconfig,
  node: text({ help: 'the node it is on', shown: '<name>' }),
  pool: text({ help: 'the pool it is in', shown: '<name>' }),
  name: text({ help: 'its name', shown: '<name>' }),
  timeout: duration({
    help: 'how long the agent of the node is waited for',
    fallback: '60s',
    leastMs: 1_000,
    mostMs: 3_600_000,
  }),
};

export interface ClaimName {
  readonly namespace: string;
  readonly name: string;
}

const claim: Setting<ClaimName> = {
  help: 'the claim that gets the data; it is made where it does not exist',
  shown: '<namespace/name>',
  parse: (value) => {
    const [namespace = '', name = '', ...more] = value.split('/');
    return namespace !== '' && name !== '' && more.length === 0
      ? ok({ namespace, name })
      : err('a namespace and a name are allowed, such as shop/data-db-0');
  },
};

/** The settings of `berth orphans list`. */
export const orphansListSettings = {
  kubeconfig,
  node: text({ help: 'only those of this node', shown: '<name>', fallback: '' }),
  pool: text({ help: 'only those of this pool', shown: '<name>', fallback: '' }),
};

/** The settings of `berth orphans adopt`. */
export const orphansAdoptSettings = {
  ...oneOrphan,
  claim,
  class: text({
    help: 'the class of the claim; required where the claim is to be made',
    shown: '<name>',
    fallback: '',
  }),
  volumeMode: choice({
    help: 'how a claim that is made here has its volume',
    of: volumeModes,
    fallback: 'Filesystem',
  }),
};

/** The settings of `berth orphans purge`. */
export const orphansPurgeSettings = {
  ...oneOrphan,
  erase: choice({ help: 'what happens to its bytes', of: erasePolicies, fallback: 'discard' }),
  yes: onOff({ help: 'really destroy it' }),
};
