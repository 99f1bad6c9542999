import type { Instance, Work } from '../broker/instance.ts';
import type { Parts } from '../broker/parts.ts';
import { formatBytes } from '../model/bytes.ts';
import { formatDuration } from '../model/duration.ts';

/** How far an operation is, for people who ask the platform. */

export function describeWork({ step, reason = '' }: Work): string {
  switch (step) {
    case 'placing':
      return 'looking for places';
    case 'waiting':
      return `given back, until others have found their places${reason === '' ? '' : `: ${reason}`}`;
    case 'undoing':
      return `taking everything back: ${reason}`;
    case 'leaving':
      return 'taking volumes and claims away';
  }
}

export function describePlacing({ wants }: Instance, { claims, placeholders }: Parts): string {
  const there = claims.filter(({ bound }) => bound).length;
  const refused = placeholders.filter(({ standing }) => standing === 'refused');
  const lack = refused[0] ? `; no node yet for ${refused.length}: ${refused[0].message}` : '';
  return `${there} of ${wants.count} volumes are there${lack}`;
}

export function describeGrowth({ wants }: Instance, { claims }: Parts): string {
  const grown = claims.filter(({ capacity }) => (capacity ?? 0) >= wants.bytes).length;
  return `${grown} of ${wants.count} volumes have ${formatBytes(wants.bytes)}`;
}

/** @param lacks - what the scheduler, and our own events, say of those without a place */
export function describeNoPlace(
  { wants }: Instance,
  { claims }: Parts,
  { why, lacks }: { readonly why: 'room' | 'patience'; readonly lacks: readonly string[] },
): string {
  const there = claims.filter(({ bound }) => bound).length;
  const within = why === 'patience' ? ` within ${formatDuration(wants.patienceMs)}` : '';
  const text = `no place for ${wants.count - there} of ${wants.count} volumes${within}`;
  const reasons = [...new Set(lacks)].filter((lack) => lack !== '');
  return reasons.length === 0 ? text : `${text}: ${reasons.join('; ')}`;
}

/** @param lacks - what our own events say of the claims */
export function describeNoGrowth(
  { wants }: Instance,
  parts: Parts,
  lacks: readonly string[],
): string {
  const text = `${describeGrowth({ wants } as Instance, parts)} after ${formatDuration(wants.patienceMs)}`;
  const reasons = [...new Set(lacks)].filter((lack) => lack !== '');
  return reasons.length === 0 ? text : `${text}: ${reasons.join('; ')}`;
}

export function describeUsers(users: readonly string[]): string {
  const shown = users.slice(0, 5).join(', ');
  const more = users.length > 5 ? ` and ${users.length - 5} more` : '';
  return `the volumes are used by ${users.length === 1 ? 'pod' : 'pods'} ${shown}${more}`;
}
