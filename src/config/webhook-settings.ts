import { schedulerName } from '../model/names.ts';
import { duration, list, port, text } from './setting-kinds.ts';

/** The settings of `berth webhook`. */
export const webhookSettings = {
  kubeconfig: text({ help: 'kubeconfig file', shown: '<file>', fallback: '' }),
  namespace: text({ help: 'where Berth runs', shown: '<name>', fallback: 'berth-system' }),
  serviceName: text({ help: 'its Service', shown: '<name>', fallback: 'berth-webhook' }),
  listenAddress: text({ help: 'HTTPS address', shown: '<address>', fallback: '0.0.0.0' }),
  port: port({ help: 'HTTPS port', fallback: '9443' }),
  opsAddress: text({
    help: 'address for health and metrics',
    shown: '<address>',
    fallback: '0.0.0.0',
  }),
  opsPort: port({ help: 'HTTP port for health and metrics', fallback: '10273' }),
  schedulerName: text({
    help: 'scheduler that asks Berth',
    shown: '<name>',
    fallback: schedulerName,
  }),
  defaultSchedulers: list({
    help: 'pods of these may be sent to it',
    shown: '<name,...>',
    fallback: 'default-scheduler',
  }),
  wiredSchedulers: list({
    help: 'schedulers that ask Berth only about pods with berth.dev/volume',
    shown: '<name,...>',
    fallback: '',
  }),
  webhookName: text({
    help: 'webhook configurations whose caBundle is filled',
    shown: '<name>',
    fallback: 'berth-webhook',
  }),
  certSecret: text({
    help: 'Secret of the certificates',
    shown: '<name>',
    fallback: 'berth-webhook-tls',
  }),
  certNames: list({
    help: 'more host names and IP addresses of the server',
    shown: '<name,...>',
    fallback: '',
  }),
  tlsCertFile: text({ help: 'certificate instead of the Secret', shown: '<file>', fallback: '' }),
  tlsKeyFile: text({ help: 'its private key', shown: '<file>', fallback: '' }),
  drain: duration({
    help: 'how long it answers after it was told to end',
    leastMs: 0,
    mostMs: 60_000,
    fallback: '5s',
  }),
};
