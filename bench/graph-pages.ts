/** The pages of two runs, of 3,000 tasks and of three, whose recordings grow by one measurement of each task per second. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunEvent } from '#lib/index.js';
import type { BenchSettings } from './case.js';
import { assertBuilt } from './command-line.js';
import { DashboardPage } from './dashboard-page.js';
import { BenchServer } from './served.js';
import { wideFlow } from './wide-flow.js';

const TASKS = 3000;
const EVERY_MS = 1000;

/** The samples of both sides. */
export async function measureGraphs(
  { isQuick, progress }: BenchSettings,
  measure: (page: DashboardPage, runId: string) => Promise<number>,
): Promise<[number[], number[]]> {
  assertBuilt();
  const server = await BenchServer.start({ code: wideFlow(isQuick ? 100 : TASKS) });
  const page = await DashboardPage.open(server);
  try {
    await page.load('/', 'h1');
    const samples: [number[], number[]] = [[], []];
    for (const [side, workflow] of ['Wide', 'Narrow'].entries()) {
      progress(`starts ${workflow}`);
      const id = await server.run(workflow, 'running');
      while (!(await server.get(`/runs/${id}/view`).catch(() => '')).includes('"bottleneck":{')) await delay(200);
      await server.cancel(id);
      const grow = growing(join(server.folder, '.millrace', 'runs', id, 'events.ndjson'));
      const timer = setInterval(grow, EVERY_MS);
      try {
        for (let round = 0; round < (isQuick ? 2 : 6); round++) {
          progress(`sample ${round + 1} of ${workflow}`);
          samples[side]?.push(await measure(page, id));
        }
      } finally {
        clearInterval(timer);
      }
    }
    return samples;
  } finally {
    await page.close();
    await server.stop();
  }
}

/**
 * Makes a recording one of a run at work. The result adds a measurement in which each task and each edge has changed: a
 * run of so many tasks measures itself less than once per second on a slow machine.
 */
function growing(path: string): () => void {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  const events = lines.map((line) => JSON.parse(line) as RunEvent);
  const started = lines[events.findIndex(({ type }) => type === 'run-started')] ?? '';
  const last = events.findLast((event) => event.type === 'progress');
  if (last === undefined) throw new Error(`${path} has no measurement`);
  writeFileSync(path, `${started}\n`);
  let round = 0;
  return () => {
    const done = ++round * 10;
    const tasks = Object.entries(last.tasks).map(
      ([name, task]) =>
        [name, { ...task, in: done, out: done, perSecond: { ...task.perSecond, now: 10 + (round % 3) } }] as const,
    );
    const edges = last.edges.map((edge) => ({ ...edge, records: done + (round % 5) }));
    const facts = { at: last.at + round * EVERY_MS, elapsedMs: last.elapsedMs + round * EVERY_MS };
    appendFileSync(path, `${JSON.stringify({ ...last, ...facts, tasks: Object.fromEntries(tasks), edges })}\n`);
  };
}
