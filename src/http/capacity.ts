import type { Capacity } from '../usecases/show-capacity.ts';
import type { Page, Readiness } from './ops.ts';

/** `GET /capacity`: what every pool can give, and why every waiting pod waits. */
export function capacityPage(capacity: () => Promise<Capacity>, notReady: Readiness): Page {
  const json = (status: number, value: object) => ({
    ...{ status, type: 'application/json; charset=utf-8' },
    body: JSON.stringify(value),
  });
  return async () => {
    const missing = notReady();
    return missing.length > 0
      ? json(503, { error: `not ready: ${missing.join(', ')}` })
      : json(200, await capacity());
  };
}
