import { schedulerName } from '../model/names.ts';
import { err, ok } from '../model/result.ts';
import { newestMinor, oldestMinor, schedulerFormats, schedulerModes } from './scheduler-config.ts';
import { choice, onOff, text } from './setting-kinds.ts';
import type { Setting } from './settings.ts';

const kubernetes: Setting<number> = {
  help: 'the version of the cluster, such as 1.20 or v1.31.4',
  shown: '<version>',
  parse: (value) => {
    const minor = Number(/^v?1\.(\d{1,3})(\.\S+)?$/.exec(value)?.[1]);
    return minor >= oldestMinor && minor <= newestMinor
      ? ok(minor)
      : err(`1.${oldestMinor} to 1.${newestMinor} are supported`);
  },
};

const extenderUrl: Setting<string> = {
  help: 'where kube-scheduler reaches berth control',
  shown: '<url>',
  fallback: 'http://127.0.0.1:10270',
  parse: (value) =>
    /^http:\/\/[^\s/]+\/?$/.test(value) && URL.canParse(value)
      ? ok(value.replace(/\/$/, ''))
      : err('an http:// URL without a path is allowed, such as http://127.0.0.1:10270'),
};

const plainAddress: Setting<string> = {
  help: 'up to 1.22: where kube-scheduler serves health and metrics without TLS, instead of 0.0.0.0:10251',
  shown: '<address:port>',
  fallback: '',
  parse: (value) =>
    value === '' || /^[0-9a-f.:[\]]+:[1-9]\d{0,4}$/i.test(value)
      ? ok(value)
      : err('an IP address and a port are allowed, such as 127.0.0.1:10251'),
};

/** The settings of `berth scheduler-config`. */
export const schedulerConfigSettings = {
  kubernetes,
  format: choice({
    help: 'policy is the legacy file of 1.20 to 1.22; component is KubeSchedulerConfiguration, and what auto takes',
    of: schedulerFormats,
    fallback: 'auto',
  }),
  mode: choice({
    help: "own: a kube-scheduler beside berth control; shared: the cluster's own",
    of: schedulerModes,
    fallback: 'own',
  }),
  extenderUrl,
  kubeconfig: text({
    help: 'the kubeconfig of kube-scheduler; none where it runs in a pod of its own account',
    shown: '<path>',
    fallback: '',
  }),
  leaderElect: onOff({ help: 'elect one of several own kube-schedulers, over a Lease' }),
  schedulerName: text({
    help: 'what pods write as schedulerName to be served',
    shown: '<name>',
    fallback: schedulerName,
  }),
  plainAddress,
};
