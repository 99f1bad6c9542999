import { apiVersion } from '../model/names.ts';
import type { EventSink, Log } from '../usecases/ports.ts';

/** Tells those who look at the node that another machine has its name now. */
export function tellReplaced(
  text: string | undefined,
  node: string,
  { events, log }: { readonly events: EventSink; readonly log: Log },
): void {
  if (text === undefined) {
    return;
  }
  log.warn('the machine was replaced', { text });
  // `kubectl describe node` looks for events that have the name in place of the uid.
  const about = { apiVersion: 'v1', kind: 'Node', name: node, uid: node };
  events.warning(about, 'MachineReplaced', text);
  events.warning({ apiVersion, kind: 'StorageNode', name: node }, 'MachineReplaced', text);
}
