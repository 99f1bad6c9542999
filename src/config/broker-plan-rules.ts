import type { CountRule, Json, PlacementRules, SizeRule } from '../broker/plan.ts';
import type { Entries } from './entries.ts';

/** More volumes than this on different nodes is no wish that a cluster can fulfil at once. */
const mostVolumes = 100;

/** `size: 10Gi`, or `size: {least: 1Gi, most: 1Ti, usual: 10Gi}`; `usual` is the least if missing. */
export function readSize(entries: Entries): SizeRule {
  if (entries.any('size') === null || typeof entries.any('size') !== 'object') {
    return { kind: 'fixed', bytes: entries.size('size') };
  }
  const range = entries.within('size');
  const [least, most] = [range.size('least'), range.size('most')];
  const usual = range.has('usual') ? range.size('usual') : least;
  range.nothingElse();
  if (least > most || usual < least || usual > most) {
    entries.complain('size', 'least must not be above most, and usual has to lie between them');
  }
  return { kind: 'range', least, most, usual };
}

/** `count: 3`, or `count: {least: 1, most: 5, usual: 3}`; 1 where it is missing. */
export function readCount(entries: Entries): CountRule {
  const given = entries.any('count') ?? 1;
  if (typeof given !== 'object') {
    const count = entries.has('count') ? entries.wholeNumber('count', 1, mostVolumes) : 1;
    return { least: count, most: count, usual: count };
  }
  const range = entries.within('count');
  const read = (name: string): number => range.wholeNumber(name, 1, mostVolumes);
  const [least, most] = [read('least'), read('most')];
  const usual = range.has('usual') ? read('usual') : least;
  range.nothingElse();
  if (least > most || usual < least || usual > most) {
    entries.complain('count', 'least must not be above most, and usual has to lie between them');
  }
  return { least, most, usual };
}

/** As in the spec of a pod. What is in them is checked by the API server when a pod is made. */
export function readPlacement(entries: Entries): PlacementRules {
  const nodeSelector = entries.object('nodeSelector');
  if (nodeSelector && Object.values(nodeSelector).some((value) => typeof value !== 'string')) {
    entries.complain('nodeSelector', 'labels with their values as texts are allowed');
  }
  const affinity = entries.object('affinity');
  const kinds = ['nodeAffinity', 'podAffinity', 'podAntiAffinity'];
  if (affinity && Object.keys(affinity).some((kind) => !kinds.includes(kind))) {
    entries.complain('affinity', `allowed are ${kinds.join(', ')}`);
  }
  const tolerations = entries.list('tolerations');
  return {
    ...(nodeSelector && { nodeSelector: nodeSelector as Record<string, string> }),
    ...(tolerations && { tolerations: tolerations as readonly Json[] }),
    ...(affinity && { affinity: affinity as Json }),
  };
}
