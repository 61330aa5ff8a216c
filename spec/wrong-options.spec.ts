/**
 * What somebody who writes JavaScript, or casts, may hand to the main entry point: each is reported in one sentence, at
 * once.
 */
import { describe, expect, it } from '@jest/globals';
import {
  aggregateTask,
  asyncTask,
  combine,
  cpuTask,
  defineWorkflow,
  expandTask,
  operatorTask,
  sinkTask,
  sourceTask,
  stream,
  syncTask,
  RecordTask,
  type Task,
  threadFunction,
  workerOperator,
} from 'millrace';
import { checkpointFile, deadLetterFile, eventFile } from 'millrace/storage';
import { csvSink, csvSource } from 'millrace/csv';
import { openLineage } from 'millrace/observe';
import { requestTask } from 'millrace/http';
import { openTelemetry, traceRun } from 'millrace/opentelemetry';
import { EMPTY, Observable } from 'rxjs';
import { runToEnd, task } from './support/run-to-end.js';
import { reported as wrong } from './support/reported.js';

const keep = (value: unknown): unknown => value;
const fold = { init: () => 0, add: (sum: number) => sum + 1, finish: (sum: number) => sum };
const home = { module: 'file:///work.js', export: 'work' };
const numbers = (): ReturnType<typeof sourceTask<number>> => sourceTask([1, 2]);
const flowOf = (dependencies: unknown, how: unknown): string =>
  wrong(() =>
    defineWorkflow({
      name: 'W',
      build: (flow) =>
        flow.task('A', numbers()).task('B', dependencies as ['A'], how as { join: 'latest' }, syncTask(keep)),
    }).plan(),
  );
const W = defineWorkflow({
  name: 'W',
  build: (flow) => flow.task('A', numbers()).task('B', ['A'], syncTask(keep)),
});

describe('an option that does not exist', () => {
  it.each([
    ['a syncTask', wrong(syncTask, keep, { onfailure: 'skip' }), 'onFailure'],
    ['an asyncTask', wrong(asyncTask, keep, { concurency: 2 }), 'concurrency'],
    ['a cpuTask', wrong(cpuTask, home, { timeoutMS: 2 }), 'timeoutMs'],
    ['`transfer`', wrong(cpuTask, home, { transfer: { outputs: 'x' } }), 'output'],
    ['a sourceTask', wrong(sourceTask, [1], { replayble: true }), 'replayable'],
    ['an expandTask', wrong(expandTask, keep, { inputs: undefined }), 'input'],
    ['an operatorTask', wrong(operatorTask, keep, { bufer: 2 }), 'buffer'],
    ['an aggregateTask', wrong(aggregateTask, fold, { maxkeys: 2 }), 'maxKeys'],
    ['an aggregate', wrong(aggregateTask, { ...fold, finsh: keep }), 'finish'],
    ['a sinkTask with a function', wrong(sinkTask, keep, { order: true }), 'ordered'],
    ['a csvSource', wrong(csvSource, { path: 'x.csv', column: [] }), 'columns'],
    ['a csvSink', wrong(csvSink, { path: 'x.csv', columns: ['a'], rows: keep }), 'row'],
    ['a requestTask', wrong(requestTask, { url: 'http://h', retrys: 3 }), 'retry'],
    ['`batch`', wrong(requestTask, { url: 'http://h', batch: { max: 2, waitMS: 3 } }), 'waitMs'],
    ['a workerOperator', wrong(workerOperator, home, { thread: 3 }), 'threads'],
    ["workflow 'X'", wrong(defineWorkflow, { name: 'X', build: keep, onend: keep }), 'onEnd'],
    ['a run', wrong(W.run.bind(W), {}, { windw: 3 }), 'window'],
    ['`threadLimits`', wrong(W.run.bind(W), {}, { threadLimits: { heapMB: 3 } }), 'heapMb'],
    ['`checkpointEvery`', wrong(W.run.bind(W), {}, { checkpointEvery: { everyMS: 3 } }), 'everyMs'],
    ["the join of 'B'", flowOf(['A'], { join: 'all', limits: 3 }), 'limit'],
    ['a threadFunction', wrong(threadFunction, 'file:///x.js', 'x', keep, { transfr: keep }), 'transfer'],
    ['a deadLetterFile', wrong(deadLetterFile, 'x', { capcity: 3 }), 'capacity'],
    ['a checkpointFile', wrong(checkpointFile, 'x', { succesor: 'y' }), 'successor'],
    ['an eventFile', wrong(eventFile, EMPTY, 'x', { apend: true }), 'append'],
    ['openLineage', wrong(openLineage, EMPTY, 'x', { apikey: 'k' }), 'apiKey'],
    ['openTelemetry', wrong(openTelemetry, { samples: 1 }), 'sample'],
    ['traceRun', wrong(traceRun, EMPTY, { parents: {} }), 'parent'],
  ])('of %s is named, with the one that was meant', (of, reported, meant) => {
    const subject = of.slice(0, 1).toUpperCase() + of.slice(1);
    expect(reported).toContain(`MILLRACE_INVALID_OPTION: ${subject} has no option`);
    expect(reported).toContain(`Did you mean \`${meant}\`?`);
  });

  it('is named with all there are, where none is near', () => {
    expect(wrong(syncTask, keep, { zzz: 1 })).toBe(
      'MILLRACE_INVALID_OPTION: A syncTask has no option `zzz`. Known options: description, onFailure, input, output, memo',
    );
  });

  it('is not looked for in the aggregate of a class of somebody’s own, nor where a class hands on its own options', () => {
    class Count {
      readonly label = 'mine';
      init = (): number => 0;
      add = (sum: number): number => sum + 1;
      finish = (sum: number): number => sum;
    }
    class Mine extends RecordTask<number, number> {
      protected override process(n: number): number {
        return n;
      }
    }
    expect(wrong(aggregateTask, new Count())).toBe('accepted');
    expect(wrong(() => new Mine({ mine: 1 } as object))).toBe('accepted');
  });
});

describe('an option with a wrong value', () => {
  it.each([
    [
      wrong(asyncTask, keep, { onFailure: 'ignore' }),
      "`onFailure` of an asyncTask to be 'dead-letter', 'skip' or 'fail'",
    ],
    [wrong(syncTask, keep, { input: 'number' }), '`input` of a syncTask to be a Standard Schema'],
    [wrong(syncTask, keep, 5), 'the options of a syncTask to be an object, got 5 (number)'],
    [
      wrong(sourceTask, [1], { overflow: 'drop' }),
      "`overflow` of a sourceTask to be 'error', 'drop-newest' or 'drop-oldest'",
    ],
    [wrong(sinkTask), 'what a sinkTask writes into, unless it is a function, to be an object, got undefined'],
    [wrong(sinkTask, {}), '`write` of a sinkTask to be a function'],
    [wrong(sinkTask, { write: keep }, { concurrency: 3 }), 'A sinkTask with a writer has no option `concurrency`'],
    [wrong(csvSource), 'the options of a csvSource to be an object, got undefined'],
    [wrong(csvSource, {}), '`path` of a csvSource to be a path, or made by `files`, got undefined'],
    [
      wrong(csvSource, { path: 'x.csv', delimiter: ';;' }),
      "`delimiter` of a csvSource to be one character such as ','",
    ],
    [wrong(csvSink, { path: 'x.csv', columns: [] }), '`columns` of a csvSink to name at least one column'],
    [wrong(requestTask), 'the options of a requestTask to be an object'],
    [wrong(requestTask, { url: 'http://h', retry: 3 }), '`retry` of a requestTask to be an object, or false'],
    [
      wrong(requestTask, { url: 'http://h', rateLimit: { perSecond: 0 } }),
      '`perSecond` of a rate limit to be a finite number above 0',
    ],
    [wrong(aggregateTask), 'the aggregate of an aggregateTask to be an object'],
    [wrong(W.run.bind(W), {}, { signal: 5 }), '`signal` of a run to be an object with `addEventListener`'],
    [wrong(W.run.bind(W), {}, { checkpoints: 'file' }), '`checkpoints` of a run to be an object with `read`, `write`'],
    [wrong(W.run.bind(W), {}, { resumeFrom: { a: 1 } }), '`resumeFrom` of a run to be a checkpoint'],
    [
      wrong(W.run.bind(W), {}, { threads: -1 }),
      "`threads` of a run to be a whole number of at least 0, or 'auto', got -1",
    ],
    [wrong(W.run.bind(W), {}, { seed: 'x' }), '`seed` of a run to be a whole number'],
    [wrong(defineWorkflow), 'the definition of a workflow to be an object, got undefined'],
    [wrong(defineWorkflow, { build: keep }), '`name` of a workflow to be a string'],
    [wrong(defineWorkflow, { name: 'X' }), "workflow 'X' to have either `build` or `tasks`, got none"],
    [wrong(defineWorkflow, { name: 'X', build: keep, tasks: keep }), 'either `build` or `tasks`, got both'],
    [
      wrong(() => defineWorkflow({ name: 'X', build: (() => undefined) as never }).plan()),
      "`build` of 'X' to return the flow",
    ],
    [
      wrong(() => defineWorkflow({ name: 'X', build: (async () => {}) as never }).plan()),
      'got a Promise: a graph is built at once',
    ],
    [wrong(stream, 5), '`stream` to get a task'],
    [wrong(() => stream(numbers()).through(keep as never)), '`through` to get a task'],
    [wrong(combine, [numbers()]), '`combine` to get an array of what `stream(…)` made'],
    [wrong(combine, []), '`combine` to get an array'],
    [wrong(deadLetterFile), 'the path of a deadLetterFile to be a string that is not empty, got undefined'],
    [wrong(deadLetterFile, 'x', { capacity: 0 }), '`capacity` of a deadLetterFile to be a whole number of at least 1'],
    [wrong(checkpointFile, ''), 'the path of a checkpointFile to be a string that is not empty, got ""'],
    [wrong(checkpointFile, 'x', { incarnation: 0.5 }), '`incarnation` of a checkpointFile to be a whole number'],
    [wrong(checkpointFile, 'x', { successor: 5 }), '`successor` of a checkpointFile to be a string'],
    [wrong(eventFile, EMPTY, 5), 'the path of an eventFile to be a string'],
    [wrong(eventFile, EMPTY, 'x', { capacity: Infinity }), 'a whole number of at least 1, got Infinity (number)'],
    [wrong(eventFile, EMPTY, 'x', { append: 'yes' }), '`append` of an eventFile to be true or false'],
    [wrong(openLineage, EMPTY), 'the target of openLineage to be a string that is not empty'],
    [
      wrong(openLineage, EMPTY, 'x', { timeoutMs: 0 }),
      '`timeoutMs` of openLineage to be a number from 1 to 2147483647',
    ],
    [wrong(openLineage, EMPTY, 'x', { namespace: '' }), '`namespace` of openLineage to be a string'],
    [wrong(openTelemetry, { sample: NaN }), '`sample` of openTelemetry to be a number from 0 to 1, got NaN (number)'],
    [wrong(openTelemetry, { tracer: {} }), '`tracer` of openTelemetry to be an object with `startSpan`'],
    [wrong(traceRun, EMPTY, { sample: 1 }), 'TraceRun has no option `sample`'],
    [flowOf(['A'], { join: 'all', limit: 0 }), "`limit` of the join of 'B' to be a whole number of at least 1"],
  ])('is reported: %#', (reported, words) => {
    expect(reported).toMatch(/^MILLRACE_INVALID_OPTION: /);
    expect(reported).toContain(words);
  });
});

describe('a task of somebody’s own', () => {
  const failureOf = async (middle: Task<never, unknown>): Promise<unknown> =>
    runToEnd([task('A', [], numbers()), task('B', ['A'], middle)]).catch((error: unknown) => error);

  it('without a `process` is refused at once, not per record', async () => {
    const Forgetful = RecordTask as unknown as new () => Task<never, unknown>;
    expect(await failureOf(new Forgetful())).toMatchObject({
      code: 'MILLRACE_INVALID_OPTION',
      message: "Task 'B' has no `process`: a class that extends RecordTask needs one",
    });
  });

  it('whose operator emits plain records is refused with what it emits', async () => {
    class Plain extends RecordTask<number, number> {
      protected override process(n: number): number {
        return n;
      }
      override operator(): never {
        return (() =>
          new Observable((subscriber) => {
            subscriber.next(7);
          })) as never;
      }
    }
    expect(await failureOf(new Plain())).toMatchObject({
      code: 'MILLRACE_INVALID_OUTPUT',
      message: expect.stringContaining(
        "Expected the operator of 'B' to emit batches ({ lineages, values }), got 7 (number)",
      ),
    });
  });

  it('that cannot be opened, closed or read is named', async () => {
    class Opening extends RecordTask<number, number> {
      constructor(private readonly broken: 'open' | 'close') {
        super();
      }
      protected override process(n: number): number {
        return n;
      }
      override open(): void {
        if (this.broken === 'open') throw new Error('no key');
      }
      override close(): void {
        if (this.broken === 'close') throw new Error('it jams');
      }
    }
    function* torn(): Generator<number> {
      yield 1;
      throw new Error('torn');
    }
    expect(await failureOf(new Opening('open'))).toMatchObject({ message: "Task 'B' could not be opened: no key" });
    expect(await failureOf(new Opening('close'))).toMatchObject({ message: "Task 'B' could not be closed: it jams" });
    const source = runToEnd([task('A', [], sourceTask(torn)), task('B', ['A'], syncTask(keep))]);
    await expect(source).rejects.toMatchObject({ code: 'MILLRACE_TASK', message: "Task 'A' failed: torn" });
  });
});
