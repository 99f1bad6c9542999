/** Whether kubelet can be reached and is well, as the node's condition `Ready` says it. */
export type Readiness = 'True' | 'False' | 'Unknown';

/** A Node, as far as new volumes and the loss of old ones hang on it. */
export interface NodeState {
  /** Missing where the Node does not say it. */
  readonly ready: Readiness | undefined;
  /** Why it is not ready, as the condition says it. */
  readonly said: string;
  /** When `ready` last changed, by the clock of whoever changed it; milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** Cordoned. */
  readonly unschedulable: boolean;
}

/** Only what a Node says counts: one that says nothing of itself is not taken for lost. */
export function isNotReady({ ready }: Pick<NodeState, 'ready'>): boolean {
  return ready === 'False' || ready === 'Unknown';
}
