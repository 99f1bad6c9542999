import { luks } from '../backends/shared/luks.ts';
import type { KubeApi } from '../kube/api.ts';
import { readSecretKey } from '../kube/secret-keys.ts';
import { readKeyFile } from '../platform/key-files.ts';
import type { RunCommand } from '../platform/run-command.ts';
import { encryptedStorage } from '../usecases/encrypt-volume.ts';
import type { EncryptedStorage } from '../usecases/encryption-ports.ts';

interface Config {
  readonly namespace: string;
  readonly keyDir: string;
  readonly runDir: string;
}

/** Encrypts volumes with LUKS2, with keys from Secrets beside the agent or from files of its node. */
export function nodeEncryption(
  api: KubeApi,
  { namespace, keyDir, runDir }: Config,
  run: RunCommand,
): EncryptedStorage {
  return encryptedStorage({
    luks: luks(run, runDir),
    keys: {
      read: ({ keySecret, keyFile = '' }) =>
        keySecret === undefined
          ? readKeyFile(keyDir, keyFile)
          : readSecretKey(api, { namespace, name: keySecret }),
    },
  });
}
