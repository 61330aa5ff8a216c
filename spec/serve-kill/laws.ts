/**
 * The workflow of the kill tests of servers, and the laws that they check: each tick from the first to the last has
 * exactly one decision, a run or a reason; each decision for a run has one run, each scheduled run has one decision,
 * and each run has one folder; each run completes; a tick is worked on by as many processes as its run has
 * incarnations, and by none if it has no run.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MOST_FRUITLESS } from '#lib/server/runs/follow.js';
import type { StoredRun } from '#lib/server/runs/stored-run.js';
import type { StoredDecision } from '#lib/server/schedules/stored-schedule.js';
import { until, type Served } from '../server/support/served.js';

const SCHEDULES = {
  skip: { every: '1s' },
  queue: { every: '1s', overlap: 'queue', catchUp: 'none' },
  all: { every: '3s', overlap: 'queue', catchUp: 'all' },
} as const;
const PERIODS: Readonly<Record<string, number>> = { skip: 1000, queue: 1000, all: 3000 };
/** One record per run; each process that works on it leaves a line. */
const FLOW = `
import { appendFileSync } from 'node:fs';
import { defineWorkflow, sinkTask, sourceTask } from '${import.meta.resolve('#lib/index.js')}';
const config = { '~standard': { version: 1, vendor: 'spec', validate: (value) => ({ value: value ?? {} }) } };
export const Flow = defineWorkflow({ name: 'Flow', config, schedules: __SCHEDULES__,
  build: (flow, { schedule, tick }) => flow.task('One', sourceTask([1])).task('Write', ['One'], sinkTask(() => {
    appendFileSync('lines', schedule + ' ' + Date.parse(tick) + ' ' + process.pid + '\\n');
  })) });
`;

/** What the laws have counted. */
export interface LawFigures {
  readonly ticks: number;
  readonly runs: number;
  readonly withoutRun: number;
}

/** A folder with the workflow. */
export function killFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-serve-kill-'));
  mkdirSync(join(folder, 'workflows'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  const tick = '${MILLRACE_SCHEDULED_FOR}';
  const schedules = Object.entries(SCHEDULES).map(([name, rule]) => [
    name,
    { ...rule, settings: { schedule: name, tick } },
  ]);
  const code = FLOW.replace('__SCHEDULES__', () => JSON.stringify(Object.fromEntries(schedules)));
  writeFileSync(join(folder, 'workflows', 'flow.js'), code);
  writeFileSync(join(folder, 'lines'), '');
  return folder;
}

/** Waits for a run, pauses the schedules, waits until all runs are over, and checks the laws. */
export async function checkAtEnd(served: Served): Promise<LawFigures> {
  const { ask } = served;
  // A quick machine would be here before the first tick.
  await until(async () => ((await ask('/runs?limit=1')).body['runs'] as unknown[] | undefined)?.length === 1);
  for (const name of Object.keys(SCHEDULES)) {
    // A server that has lost its lease or its database refuses the request until it has them again.
    const pause = (): ReturnType<Served['ask']> =>
      ask(`/schedules/Flow/${name}/pause`, { method: 'POST', body: { note: 'the end' } });
    await until(async () => (await pause()).status === 200);
  }
  await until(async () => ((await ask('/overview')).body['active'] as unknown[]).length === 0);
  return checkLaws(served);
}

async function checkLaws({ folder, ask }: Served): Promise<LawFigures> {
  const runs = await all<StoredRun>(async (before) => {
    const { body } = await ask(`/runs?limit=200${before === undefined ? '' : `&before=${before.id}`}`);
    return body['runs'] as StoredRun[];
  });
  const processes = linesOf(folder);
  let [ticks, withoutRun] = [0, 0];
  for (const [name, period] of Object.entries(PERIODS)) {
    const decisions = await all<StoredDecision>(async (before) => {
      const query = before === undefined ? '' : `&before=${before.number}`;
      return (await ask(`/schedules/Flow/${name}/decisions?limit=200${query}`)).body['decisions'] as StoredDecision[];
    });
    const own = new Map(runs.filter(({ schedule }) => schedule === `Flow/${name}`).map((run) => [run.id, run]));
    const inOrder = [...decisions].sort((a, b) => a.from - b.from);
    inOrder.forEach(({ from, to, count, kind, runId }, index) => {
      const before = inOrder[index - 1];
      law(before === undefined || from - before.to === period, `${name}: ticks between ${before?.to ?? 0} and ${from}`);
      law(count === (to - from) / period + 1, `${name}: ${String(count)} ticks from ${from} to ${to}`);
      ticks += count ?? 0;
      if (kind === 'no-run') withoutRun += count ?? 0;
      else {
        const run = own.get(runId ?? '');
        law(run?.scheduledFor === from, `${name}: the run of tick ${from} is missing`);
      }
    });
    const decided = decisions.filter(({ kind }) => kind === 'run').length;
    law(decided === own.size, `${name}: ${own.size} runs for ${decided} decisions`);
    for (const run of own.values()) {
      law(run.state === 'completed', `${run.id} is ${run.state}: ${run.problem}`);
      const key = `${name} ${String(run.scheduledFor)}`;
      const worked = processes.get(key)?.size ?? 0;
      const incarnations = incarnationsOf(folder, run.id).length;
      law(worked >= 1 && worked <= incarnations, `${run.id}: ${worked} processes, ${incarnations} incarnations`);
      processes.delete(key);
    }
  }
  law(processes.size === 0, `work for ticks without a run: ${[...processes.keys()].join(', ')}`);
  const folders = readdirSync(join(folder, '.millrace', 'runs')).filter((name) => !name.startsWith('.'));
  law(folders.length === runs.length, `${folders.length} folders for ${runs.length} runs`);
  return { ticks, runs: runs.length, withoutRun };
}

/** All pages, from the newest on. */
async function all<Item>(page: (last: Item | undefined) => Promise<readonly Item[]>): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (;;) {
    const found = await page(items.at(-1));
    if (found.length === 0) return items;
    items.push(...found);
  }
}

/** The processes that have worked, by schedule and tick. */
function linesOf(folder: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const line of readFileSync(join(folder, 'lines'), 'utf8').split('\n')) {
    const [schedule = '', tick = '', pid = ''] = line.split(' ');
    if (pid === '') continue;
    const key = `${schedule} ${tick}`;
    found.set(key, (found.get(key) ?? new Set()).add(pid));
  }
  return found;
}

function incarnationsOf(folder: string, id: string): readonly string[] {
  const path = join(folder, '.millrace', 'runs', id);
  return existsSync(path) ? readdirSync(path).filter((name) => /^incarnation-\d+\.json$/.test(name)) : [];
}

/**
 * Kills the process of a run that is at work. Returns how many. A run that dies more often than it is resumed would
 * fail, as it should.
 */
export function killARun(folder: string, random: () => number): number {
  const runs = join(folder, '.millrace', 'runs');
  const working = (existsSync(runs) ? readdirSync(runs) : []).flatMap((id) => {
    const incarnations = [...incarnationsOf(folder, id)].sort();
    const last = incarnations.at(-1);
    if (last === undefined || incarnations.length > MOST_FRUITLESS) return [];
    try {
      const { pid, endedAt } = JSON.parse(readFileSync(join(runs, id, last), 'utf8')) as {
        pid: number;
        endedAt?: number;
      };
      // Only a process of this folder: its id may belong to another one by now.
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return endedAt === undefined && words.includes(folder) ? [pid] : [];
    } catch {
      return [];
    }
  });
  const pid = working[Math.floor(random() * working.length)];
  if (pid === undefined) return 0;
  try {
    process.kill(pid, 'SIGKILL');
    return 1;
  } catch {
    return 0;
  }
}

function law(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
