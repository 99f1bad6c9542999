import { list, text } from './setting-kinds.ts';

/** The settings of `berth certs`. */
export const certsSettings = {
  out: text({ help: 'directory for ca.crt, tls.crt and tls.key', shown: '<directory>' }),
  dns: list({ help: 'host names of the server', shown: '<name,...>', fallback: 'localhost' }),
  ip: list({ help: 'IP addresses of the server', shown: '<address,...>', fallback: '127.0.0.1' }),
};
