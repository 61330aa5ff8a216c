/** The measurements of a kept run that `explain` compares: from its summary and its recorded events. */
import { existsSync } from 'node:fs';
import { lastValueFrom, reduce } from 'rxjs';
import type { RunSummary } from '../model/run-summary.js';
import type { RunMeasures } from '../observe/report/explanation.js';
import { readEvents } from '../storage/read-events.js';
import { listRuns, type RunFolder } from '../storage/run-folder.js';
import { entry, setEntry } from '../text/entry.js';
import { pathFrom, type JobFolder } from './place.js';

/** Undefined if the run has no summary. Throws MILLRACE_FILE if its summary or its events are damaged. */
export async function measuresOf(folder: RunFolder): Promise<RunMeasures | undefined> {
  const summary = (await folder.summary()) as Partial<RunSummary> | undefined;
  if (summary?.tasks === undefined) return undefined;
  const { elapsedMs = 0, resources } = summary;
  const all = Object.entries(summary.tasks);
  const tasks = all.map(
    ([name, { latencyMs, queueMs, shares }]) =>
      [name, { recordMs: latencyMs.p50 + queueMs.p50, busyMs: Math.round(shares.busy * elapsedMs) }] as const,
  );
  return {
    runId: folder.manifest.runId,
    tasks: Object.fromEntries(tasks),
    skipped: all.flatMap(([name, { status }]) => (status === 'skipped' ? [name] : [])),
    inFlight: await peaksOf(folder),
    ...(resources === undefined ? {} : { rssBytes: resources.rssBytes }),
  };
}

/** The newest run of this workflow that has a summary; broken runs are passed over. */
export async function lastMeasured(runs: string, workflow: string, place: JobFolder): Promise<RunMeasures | undefined> {
  const folders = await listRuns(pathFrom(place, runs), () => undefined);
  for (const folder of folders.filter(({ manifest }) => manifest.workflow === workflow).reverse()) {
    const found = await measuresOf(folder).catch(() => undefined);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function peaksOf(folder: RunFolder): Promise<Record<string, number>> {
  const path = folder.file('events.ndjson');
  if (!existsSync(path)) return {};
  const peaks$ = readEvents(path).pipe(
    reduce(
      (peaks, event) => {
        if (event.type !== 'progress') return peaks;
        for (const [root, { inFlight }] of Object.entries(event.roots)) {
          setEntry(peaks, root, Math.max(entry(peaks, root) ?? 0, inFlight));
        }
        return peaks;
      },
      {} as Record<string, number>,
    ),
  );
  return lastValueFrom(peaks$, { defaultValue: {} });
}
