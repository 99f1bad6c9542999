import type { Express } from 'express';
import type { Capacity } from '../usecases/show-capacity.ts';

/** Adds `GET /capacity`: what every pool can give, and why every waiting pod waits. */
export function addCapacity(
  app: Express,
  capacity: () => Promise<Capacity>,
  notReady: () => readonly string[],
): void {
  app.get('/capacity', async (_req, res) => {
    const missing = notReady();
    if (missing.length > 0) {
      res.status(503).json({ error: `not ready: ${missing.join(', ')}` });
      return;
    }
    res.json(await capacity());
  });
}
