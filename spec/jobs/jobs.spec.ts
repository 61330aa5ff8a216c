/** The application layer, used as a server would use it: from a folder that is not the current one, in one process. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RunEvent } from 'millrace';
import { findReplay, groupLetters, type Replay } from '#lib/jobs/dead-letters.js';
import {
  findUnfinished,
  keepNewRun,
  loadAgain,
  newEphemeralRun,
  openForResume,
  prepareRun,
  reopenRun,
} from '#lib/jobs/kept-run.js';
import { cleanRuns, inspectRun, keptRunOf, listKeptRuns, openRun } from '#lib/jobs/kept-runs.js';
import { assertFilesApart, filesReadBy, filesWrittenBy, loadJob, type JobRequest } from '#lib/jobs/load-job.js';
import type { JobPlace } from '#lib/jobs/place.js';
import { storyOfRecord } from '#lib/jobs/record-story.js';
import { runJob, type RunEnd } from '#lib/jobs/run-job.js';
import { reportModelOf, writeReport } from '#lib/jobs/run-report.js';
import { watchersFor } from '#lib/jobs/watch-run.js';
import { findWorkflows } from '#lib/jobs/workflows/load-workflow.js';
import type { ReadyRun } from '#lib/jobs/kept-run.js';
import { placeIn } from '../support/place-in.js';
import type { Run } from '#lib/runtime/run/run.js';

const ENTRY_POINT = import.meta.resolve('#lib/index.js');
const CSV = import.meta.resolve('#lib/connectors/csv/index.js');

/** Counts the calls of its builder and of its schema; the record 3 fails until `mended`. */
const FLOW = `
import { defineWorkflow, sourceTask, syncTask } from '${ENTRY_POINT}';
import { csvSink } from '${CSV}';
export const state = { builds: 0, parses: 0, mended: false, starts: [] };
const config = { '~standard': { version: 1, vendor: 'spec', validate: (value) => {
  state.parses++;
  return typeof value.out === 'string' ? { value } : { issues: [{ message: 'expected a path', path: ['out'] }] };
} } };
export const Counted = defineWorkflow({ name: 'Counted', config, build: (flow, { out }, context) => {
  state.builds++;
  state.starts.push(context.startedAt);
  context.notice('Built for ' + out.split('/').pop());
  return flow
    .task('Numbers', sourceTask(Array.from({ length: 5000 }, (_, n) => n)))
    .task('Work', ['Numbers'], syncTask((n) => {
      if (n === 3 && !state.mended) throw new Error('no answer for ' + n);
      return { n };
    }))
    .task('Write', ['Work'], csvSink({ path: out, columns: ['n'] }));
} });
`;

interface State {
  builds: number;
  parses: number;
  mended: boolean;
  starts: number[];
}

const RUNS = 'runs';
let folder = '';
let place: JobPlace;
let state: State;
const request: JobRequest = { workflow: './flow.mjs', config: 'config.json', settings: [], deadLetters: null };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-jobs-'));
  place = placeIn(folder, { NAME: 'out' });
  writeFileSync(join(folder, 'flow.mjs'), FLOW);
  writeFileSync(join(folder, 'config.json'), '{"out": "${MILLRACE_CONFIG_FOLDER}/${NAME}.csv"}');
  ({ state } = (await import(pathToFileURL(join(folder, 'flow.mjs')).href)) as { state: State });
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Calls of the builder and the schema since the last time. */
function calls(): { builds: number; parses: number } {
  const { builds, parses } = state;
  Object.assign(state, { builds: 0, parses: 0 });
  return { builds, parses };
}

async function run(ready: ReadyRun, onStart: (run: Run) => void = () => undefined): Promise<RunEnd> {
  const watchers = await watchersFor({ isKept: ready.folder !== undefined }, place);
  const end = await runJob(ready, place, (started) => {
    watchers.start(started, ready.folder);
    onStart(started);
  });
  expect(await watchers.end()).toEqual([]);
  return end;
}

const newRun = async (): Promise<ReadyRun> => keepNewRun(RUNS, await loadJob(request, place), place);
const idOf = ({ folder: kept }: ReadyRun): string => kept?.manifest.runId ?? '';

describe('a job', () => {
  it('parses its configuration once and builds its graph once for a run of which nothing is kept', async () => {
    const job = await loadJob(request, place);
    assertFilesApart(job, [{ by: 'the events', path: 'events.ndjson' }], place);
    const { summary, failure } = await run(await newEphemeralRun(job, place));
    expect([summary?.outcome, failure]).toEqual(['completed', undefined]);
    expect(filesWrittenBy(job)).toEqual([join(folder, 'out.csv')]);
    expect(calls()).toEqual({ builds: 1, parses: 1 });
  });

  it('parses and builds once for a kept run, and everything is kept below the folder of the place', async () => {
    const ready = await newRun();
    expect((await run(ready)).summary).toMatchObject({ outcome: 'completed', deadLettered: 1 });
    expect(calls()).toEqual({ builds: 1, parses: 1 });
    expect(existsSync(join(folder, RUNS, idOf(ready), 'events.ndjson'))).toBe(true);
    expect(existsSync(join(folder, RUNS, idOf(ready), 'dead-letters.ndjson'))).toBe(true);
    expect(ready.folder?.manifest.cwd).toBe(folder);
  });

  it('parses and builds once to resume, with the start of the first incarnation', async () => {
    const ready = await newRun();
    await run(ready, (started) => {
      started.events$.subscribe(({ type }) => {
        if (type === 'task-started') started.drain();
      });
    });
    const [startedAt] = state.starts;
    calls();
    const kept = await openRun(RUNS, idOf(ready), place);
    expect(await kept.state()).toBe('unfinished');
    const again = await reopenRun(kept, await loadAgain(kept, place), place);
    expect((await run(again)).summary?.outcome).toBe('completed');
    expect(calls()).toEqual({ builds: 1, parses: 1 });
    expect(state.starts).toEqual([startedAt, startedAt]);
  });

  it('parses and builds once to find the newest unfinished run and to resume it', async () => {
    const ready = await newRun();
    await run(ready, (started) => {
      started.events$.subscribe(({ type }) => {
        if (type === 'task-started') started.drain();
      });
    });
    calls();
    const sentences: string[] = [];
    const { job, folder: found } = await findUnfinished(RUNS, request, place, (sentence) => sentences.push(sentence));
    expect(found?.manifest.runId).toBe(idOf(ready));
    if (found === undefined) return;
    expect((await run(await reopenRun(found, job, place))).summary?.outcome).toBe('completed');
    expect(calls()).toEqual({ builds: 1, parses: 1 });
    expect(sentences).toEqual([]);
    const nothing = await findUnfinished(RUNS, request, place, (sentence) => sentences.push(sentence));
    expect([nothing.folder, nothing.job.prepared.name, sentences]).toEqual([undefined, 'Counted', []]);
  });

  it('says why an unfinished run is passed over, and builds for a new run', async () => {
    const ready = await newRun();
    await run(ready, (started) => {
      started.events$.subscribe(({ type }) => {
        if (type === 'task-started') started.drain();
      });
    });
    calls();
    const sentences: string[] = [];
    const other = { ...request, settings: ['more=1'] };
    const { job, folder: found } = await findUnfinished(RUNS, other, place, (sentence) => sentences.push(sentence));
    expect(found).toBeUndefined();
    expect(sentences).toEqual([expect.stringContaining(`Run ${idOf(ready)} is passed over: `)]);
    expect(sentences[0]).toContain("config key 'more' was added");
    expect(job.prepared.startedAt).toBeGreaterThan(state.starts[0] ?? Infinity);
    expect(calls()).toEqual({ builds: 2, parses: 1 });
  });

  it('parses and builds once to replay dead letters', async () => {
    const ready = await newRun();
    await run(ready);
    calls();
    state.mended = true;
    const kept = await openRun(RUNS, idOf(ready), place);
    const found = await findReplay(kept, place);
    if (typeof found === 'string') throw new Error(`the run is ${found}`);
    const { job, redo, stay } = found;
    expect([redo, stay]).toEqual([[{ task: 'Work', lineage: { root: 'Numbers', partition: 0, number: 3 } }], 0]);
    const again = await reopenRun(kept, job, place);
    const { summary } = await run({ ...again, options: { ...again.options, redo } });
    expect(summary).toMatchObject({ outcome: 'completed', deadLettered: 0 });
    expect(calls()).toEqual({ builds: 1, parses: 1 });
    expect(readFileSync(join(folder, 'out.csv'), 'utf8').trim().split('\n')).toHaveLength(5001);
  });

  it.each([
    [
      'has gone',
      'the file does not exist any more',
      (out: string): void => {
        rmSync(out);
      },
    ],
    [
      'is another one',
      'it is not what this run wrote',
      (out: string): void => {
        writeFileSync(out, 'n\n');
      },
    ],
  ])('refuses to replay a run whose result %s before it begins, and leaves it finished', async (_, what, harm) => {
    const ready = await newRun();
    await run(ready);
    const kept = await openRun(RUNS, idOf(ready), place);
    const out = join(folder, 'out.csv');
    const before = readFileSync(out);
    harm(out);
    const found = (await findReplay(kept, place)) as Replay;
    await expect(reopenRun(kept, found.job, place)).rejects.toMatchObject({
      code: 'MILLRACE_RESUME',
      message: expect.stringContaining(`Cannot go on with ${out}: ${what}. Put the file back`) as unknown as string,
    });
    expect(await kept.state()).toBe('finished');
    writeFileSync(out, before);
    state.mended = true;
    const again = (await findReplay(await openRun(RUNS, idOf(ready), place), place)) as Replay;
    const mended = await reopenRun(kept, again.job, place);
    const { summary } = await run({ ...mended, options: { ...mended.options, redo: again.redo } });
    expect(summary).toMatchObject({ outcome: 'completed', deadLettered: 0 });
  });

  it('refuses to replay a run whose last checkpoint is damaged, and leaves it finished', async () => {
    const ready = await newRun();
    await run(ready);
    const checkpoint = join(folder, RUNS, idOf(ready), 'checkpoint.json');
    writeFileSync(checkpoint, readFileSync(checkpoint, 'utf8').replace('Numbers', 'numbers'));
    const kept = await openRun(RUNS, idOf(ready), place);
    await expect(findReplay(kept, place)).rejects.toMatchObject({
      code: 'MILLRACE_FILE',
      message: expect.stringContaining(checkpoint) as unknown as string,
    });
    expect(await kept.state()).toBe('finished');
  });

  it('returns the state of a run that has not finished instead of its dead letters', async () => {
    const ready = await newRun();
    await run(ready, (started) => {
      started.cancel();
    });
    const kept = await openRun(RUNS, idOf(ready), place);
    expect(await findReplay(kept, place)).toBe('unfinished');
  });

  it('opens the newest run, or the one with an id, to resume it, and refuses one that has finished', async () => {
    const none = { runs: RUNS, runId: undefined };
    await expect(openForResume(none, place, () => undefined)).rejects.toMatchObject({ code: 'MILLRACE_UNKNOWN_RUN' });
    const ready = await newRun();
    await run(ready, (started) => {
      started.cancel();
    });
    const runId = idOf(ready);
    for (const wanted of [none, { runs: RUNS, runId }]) {
      const { folder: found, job, isRunning } = await openForResume(wanted, place, () => undefined);
      expect([found.manifest.runId, job.workflow.name, isRunning]).toEqual([runId, ready.job.workflow.name, false]);
    }
    const { job, folder: found } = await openForResume(none, place, () => undefined);
    await run(await prepareRun(job, place, found));
    const again = openForResume({ runs: RUNS, runId }, place, () => undefined);
    await expect(again).rejects.toThrow(`Run ${runId} has finished: there is nothing to resume`);
  });

  it('names the files that a run depends on: its configuration and its inputs', async () => {
    const job = await loadJob(request, place);
    expect(filesReadBy(job, place)).toEqual([join(folder, request.config ?? '')]);
  });

  it('cannot resume from another folder than the one it was started in', async () => {
    const ready = await newRun();
    await run(ready);
    const kept = await openRun(RUNS, idOf(ready), place);
    await expect(loadAgain(kept, { ...place, folder: tmpdir() })).rejects.toMatchObject({
      code: 'MILLRACE_RESUME',
      message: expect.stringContaining(`was started in ${folder}`) as unknown as string,
    });
  });

  it('names the file of its configuration where the schema refuses it, and asks the schema once', async () => {
    writeFileSync(join(folder, 'config.json'), '{"out": 1}');
    await expect(loadJob(request, place)).rejects.toMatchObject({
      code: 'MILLRACE_CONFIG',
      message: "The config of 'Counted' (config.json) is wrong: 'out': expected a path, got 1 (number)",
    });
    expect(calls()).toEqual({ builds: 0, parses: 1 });
  });

  it('leaves no folder behind where its run cannot start', async () => {
    const ready = await newRun();
    ready.job.prepared.run({ signal: AbortSignal.abort() });
    await expect(run(ready)).rejects.toMatchObject({ code: 'MILLRACE_INVALID_OPTION' });
    expect(await listKeptRuns(RUNS, place)).toEqual([]);
  });

  it('ends with the failure as a value where the run fails', async () => {
    const ready = await newRun();
    mkdirSync(join(folder, 'out.csv.part'));
    const { summary, failure } = await run(ready);
    expect(summary?.outcome).toBe('failed');
    expect(failure?.error).toMatchObject({ code: 'MILLRACE_FILE' });
  });
});

describe('kept runs', () => {
  it('are listed, inspected, grouped, explained and reported from their folders', async () => {
    const ready = await newRun();
    await run(ready);
    const runId = idOf(ready);
    const facts = { run: runId, workflow: 'Counted', state: 'finished', incarnations: 1, settled: 5000 };
    expect(await listKeptRuns(RUNS, place)).toEqual([expect.objectContaining(facts)]);
    expect(await keptRunOf(RUNS, runId, place)).toMatchObject(facts);
    const details = await inspectRun(RUNS, runId, place);
    expect(details).toMatchObject({ facts, letters: join(folder, RUNS, runId, 'dead-letters.ndjson') });
    const kept = await openRun(RUNS, runId, place);
    expect(await groupLetters(kept)).toMatchObject({ groups: [{ task: 'Work', count: 1, example: 'Numbers#3' }] });
    expect(await storyOfRecord(kept, 'Numbers#3', place)).toEqual([
      expect.objectContaining({ task: 'Work', record: 'Numbers#3' }),
    ]);
    expect(await reportModelOf(kept)).toMatchObject({ tasks: { Work: { deadLettered: 1 } } });
    expect(await writeReport(kept, place, 'report.html')).toBe(join(folder, 'report.html'));
    expect(readFileSync(join(folder, 'report.html'), 'utf8')).toContain('Counted');
  });

  it('are removed once they have finished, and others are counted', async () => {
    const finished = await newRun();
    await run(finished);
    const unfinished = await newRun();
    await run(unfinished, (started) => {
      started.cancel();
    });
    const removed: string[] = [];
    const onRemoved = (runId: string): void => {
      removed.push(runId);
    };
    expect(await cleanRuns(RUNS, place, { onRemoved })).toEqual({ kept: 1, keptBroken: 0 });
    expect(removed).toEqual([idOf(finished)]);
    expect(await cleanRuns(RUNS, place, { isAll: true, onRemoved })).toEqual({ kept: 0, keptBroken: 0 });
    await expect(cleanRuns(RUNS, place, { runId: 'none' })).rejects.toMatchObject({ code: 'MILLRACE_UNKNOWN_RUN' });
  });
});

it('workflows are found in the folder of the place', async () => {
  const { found } = await findWorkflows(place);
  expect(found.map(({ from }) => from)).not.toContain('workflows/flow.js');
  await expect(loadJob({ ...request, workflow: './flw.mjs' }, place)).rejects.toMatchObject({
    code: 'MILLRACE_UNKNOWN_WORKFLOW',
    message: expect.stringContaining(`(looked in ${folder}). Did you mean ./flow.mjs?`) as unknown as string,
  });
});

it('a notice made while the graph is built is an event after run-started', async () => {
  const events: RunEvent[] = [];
  const ready = await newEphemeralRun(await loadJob(request, place), place);
  await run(ready, (started) => {
    started.events$.subscribe((event) => events.push(event));
  });
  expect(events.slice(0, 2)).toMatchObject([{ type: 'run-started' }, { type: 'notice', message: 'Built for out.csv' }]);
});
