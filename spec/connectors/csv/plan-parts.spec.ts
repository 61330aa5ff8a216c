/** A CSV file that is divided for threads: dividing it ends with the run, and threads wait for dead letters. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { planParts } from '#lib/connectors/csv/plan-parts.js';
import type { DeadLetterStore } from '#lib/model/ports.js';
import type { TaskScope } from '#lib/stream/task-scope.js';
import { referTo } from '#lib/execution/thread-function.js';
import { aggregateTask, defineWorkflow } from '#lib/index.js';
import { csvSource } from '#lib/connectors/csv/index.js';
import { rowCount } from './modules/row-count.js';
import { openFilesIn } from '../../support/open-files.js';

const ROW = '0123456789,0123456789\n';
const ROWS = 400_000;
const LARGE_BYTES = 'a,b\n'.length + ROW.length * ROWS;

let folder = '';
let large = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plan-parts-'));
  large = join(folder, 'large.csv');
  await writeFile(large, `a,b\n${ROW.repeat(ROWS)}`);
});
afterAll(() => rm(folder, { recursive: true }));

const fold = defineWorkflow({
  name: 'Fold',
  build: (flow) =>
    flow
      .task('Read', csvSource({ path: large, columns: ['a', 'b'], partitions: 2 }))
      .task('Count', ['Read'], aggregateTask(rowCount)),
});
/** Looks at a signal that the scan of the large file takes when it is never aborted. */
async function looksAt(signal: AbortSignal): Promise<number> {
  let looks = 0;
  const watched = new Proxy(signal, {
    get(target, name) {
      if (name === 'aborted') looks++;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  await planParts({ path: large, signal: watched }, LARGE_BYTES, 1e6);
  return looks;
}

/** Whether this process holds the file open; only Linux shows it. */
async function isOpen(path: string): Promise<boolean> {
  return (await openFilesIn(path))?.includes(path) ?? false;
}

describe('dividing a CSV file', () => {
  it('looks at its signal all along the file', async () => {
    const perChunk = (ROW.length * ROWS) / (256 * 1024);
    expect(await looksAt(new AbortController().signal)).toBeGreaterThan(perChunk);
  });

  it('ends with MILLRACE_ABORTED', async () => {
    const controller = new AbortController();
    const parts = planParts({ path: large, signal: controller.signal }, LARGE_BYTES, 1e6);
    setImmediate(() => {
      controller.abort();
    });
    await expect(parts).rejects.toMatchObject({ code: 'MILLRACE_ABORTED' });
  });

  it('has let go of the file when a cancelled run is over', async () => {
    const run = fold.run(undefined, { threads: 2 });
    run.events$.subscribe((event) => {
      if (event.type === 'task-started' && event.task === 'Read') {
        setImmediate(() => {
          run.cancel();
        });
      }
    });
    expect((await run.finished).outcome).toBe('cancelled');
    expect(await isOpen(large)).toBe(false);
  });

  it('gives no parts to a source that is drained meanwhile', async () => {
    const source = csvSource({ path: large, columns: ['a', 'b'], partitions: 2 });
    const scope = {
      executor: { size: 2 },
      signal: new AbortController().signal,
      whenEnding: (end: () => void) => setImmediate(end),
      track: () => undefined,
    } as unknown as TaskScope;
    const request = { aggregate: referTo(rowCount, 'a spec'), maxKeys: 1, task: 'Count' };
    expect(await source.foldParts(request, scope)?.refs).toEqual([]);
  });
});

describe('a CSV file that threads fold', () => {
  it('asks the dead letters once to be notified when they can be written again', async () => {
    const path = join(folder, 'bad.csv');
    await writeFile(path, `a,b\n${`${ROW}1\n`.repeat(20_000)}`);
    const ready: (() => void)[] = [];
    let written = 0;
    let isFull = false;
    let holds = 0;
    const letters: DeadLetterStore = {
      get isFull() {
        return isFull;
      },
      write: () => {
        written++;
        if (isFull) return;
        isFull = true;
        holds++;
        setImmediate(() => {
          isFull = false;
          for (const listener of [...ready]) listener();
        });
      },
      whenReady: (listener) => ready.push(listener),
      whenBroken: () => undefined,
      close: () => Promise.resolve(),
    };
    const flow = defineWorkflow({
      name: 'Bad',
      build: (it) =>
        it
          .task('Read', csvSource({ path, columns: ['a', 'b'], partitions: 2 }))
          .task('Count', ['Read'], aggregateTask(rowCount)),
    });
    await flow.run(undefined, { threads: 2, deadLetters: letters }).finished;
    expect(written).toBe(20_000);
    expect(holds).toBeGreaterThan(10);
    expect(ready.length).toBeLessThan(5);
  });
});
