import type { Instance, Work } from './instance.ts';

/** Where the work on the operation of an instance is; nothing where it has not begun. */
export function workOf({ operation, progress }: Instance): Work | undefined {
  return progress.operationId === operation.id ? progress.work : undefined;
}

/** Volumes that are still on their way out, from earlier operations too. */
export function leavingOf({ progress }: Instance): readonly string[] {
  return progress.work?.leaving ?? [];
}

/** Whether the operation still runs. */
export function isRunning({ operation, progress }: Instance): boolean {
  return progress.operationId !== operation.id || progress.state === 'in progress';
}
