/**
 * The offer graph with all observers of a run on: the events recorded in a file, metrics served, and a consumer that
 * renders each measurement as a terminal would.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventFile } from 'millrace/storage';
import { serveMetrics } from 'millrace/observe';
import type { SideRun } from '../side-run.js';
import { runWatched } from './millrace-offer.js';

const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
process.once('exit', () => {
  rmSync(folder, { recursive: true, force: true });
});

export const run: SideRun = async (records) => {
  const server = await serveMetrics(0);
  let drawn = 0;
  try {
    return await runWatched(records, (events$) => {
      server.observe(events$);
      events$.subscribe((event) => {
        if (event.type !== 'progress') return;
        for (const [name, task] of Object.entries(event.tasks)) {
          drawn += `${name.padEnd(30)} ${task.out} ${task.perSecond.now.toFixed(1)} ${task.inFlight}\n`.length;
        }
      });
      return eventFile(events$, join(folder, 'events.ndjson'));
    });
  } finally {
    if (drawn === 0) throw new Error('Expected the observer to get events, got none');
    await server.close();
  }
};
