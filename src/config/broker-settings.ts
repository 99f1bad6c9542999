import { duration, list, onOff, port, size, text } from './setting-kinds.ts';

/** The settings of `berth broker`. */
export const brokerSettings = {
  kubeconfig: text({ help: 'kubeconfig file', shown: '<file>', fallback: '' }),
  namespace: text({ help: 'where Berth runs', shown: '<name>', fallback: 'berth-system' }),
  listenAddress: text({ help: 'HTTPS address', shown: '<address>', fallback: '0.0.0.0' }),
  port: port({ help: 'HTTPS port', fallback: '9444' }),
  opsAddress: text({
    help: 'address for health and metrics',
    shown: '<address>',
    fallback: '0.0.0.0',
  }),
  opsPort: port({ help: 'HTTP port for health and metrics', fallback: '10274' }),
  credentialsFile: text({
    help: 'lines name:password of those who may call; read again when it changes',
    shown: '<file>',
  }),
  catalogFile: text({
    help: 'services and plans; without it, a plan for each StorageClass of Berth',
    shown: '<file>',
    fallback: '',
  }),
  serviceName: text({
    help: 'without a catalog file: the name of the service, which its ids are made from',
    shown: '<name>',
    fallback: 'berth',
  }),
  leastSize: size({ help: 'without a catalog file: smallest volume', fallback: '1Gi' }),
  mostSize: size({ help: 'without a catalog file: largest volume', fallback: '1Ti' }),
  instanceNamespace: text({
    help: 'namespace of instances of other platforms than kubernetes',
    shown: '<name>',
    fallback: '',
  }),
  allowedNamespaces: list({
    help: 'namespaces that requests may name; all but those of the system when empty',
    shown: '<name,...>',
    fallback: '',
  }),
  tlsCertFile: text({ help: 'certificate, renewed by others', shown: '<file>', fallback: '' }),
  tlsKeyFile: text({ help: 'its private key', shown: '<file>', fallback: '' }),
  plainHttp: onOff({ help: 'serve without TLS, behind a proxy that ends it' }),
  placeholderImage: text({
    help: 'what placeholder pods run: anything that waits for its end',
    shown: '<image>',
    fallback: 'registry.k8s.io/pause:3.10',
  }),
  placeholderPriorityClass: text({
    help: 'of placeholder pods: lower than that of every workload',
    shown: '<name>',
    fallback: 'berth-placeholder',
  }),
  placeholderScheduler: text({
    help: "of placeholder pods; empty: as Berth's webhook decides",
    shown: '<name>',
    fallback: '',
  }),
  drain: duration({
    help: 'how long it answers after it was told to end',
    leastMs: 0,
    mostMs: 60_000,
    fallback: '5s',
  }),
};
