import { err, ok, type Result } from '../model/result.ts';
import { shown } from '../model/shown.ts';
import type { Json } from './plan.ts';
import type { NamespaceRules } from './surroundings.ts';

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * Where the claims of an instance go: into the namespace of the request's context for platform
 * `kubernetes`, else into the usual one.
 */
export function namespaceFor(
  context: Readonly<Record<string, Json>>,
  rules: NamespaceRules,
): Result<string, string> {
  const { usual, allowed, closed } = rules;
  const isKubernetes = context['platform'] === 'kubernetes';
  const name = isKubernetes ? context['namespace'] : usual;
  if (isKubernetes && (typeof name !== 'string' || !label.test(name))) {
    return err(`context.namespace is ${shown(name)}: the name of a namespace is required`);
  }
  if (typeof name !== 'string') {
    return err(
      `context.platform is ${shown(context['platform'])}: this broker has no namespace for instances of other platforms than kubernetes`,
    );
  }
  if (closed.includes(name) || (isKubernetes && allowed.length > 0 && !allowed.includes(name))) {
    return err(`context.namespace is "${name}": instances are not allowed there`);
  }
  return ok(name);
}
