import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';

/** Whether a health URL answers 200; the certificate is not looked at, since many servers sign their own. */
export function answersOk(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const get = url.startsWith('https:') ? httpsGet : httpGet;
    const call = get(url, { rejectUnauthorized: false, timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    call.on('error', () => resolve(false));
    call.on('timeout', () => call.destroy());
  });
}
