/**
 * Results that could not be kept: the run is refused before a row is read, a task is opened or an upstream is called.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow, RecordTask, sourceTask, type RunOptions, type Task } from 'millrace';
import { connectorSink, type Sink } from 'millrace/connect';
import { csvSink } from 'millrace/csv';
import { ndjsonSink } from 'millrace/ndjson';
import { deadLetterFile } from 'millrace/storage';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-results-'));
  writeFileSync(join(folder, 'file'), '');
  mkdirSync(join(folder, 'sub'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Row {
  readonly id: number;
}

/** Runs into this sink, and reports the failure and everything that happened before it. */
async function failureOf(
  sink: Task<Row, unknown>,
  options: RunOptions = {},
): Promise<{ failure: string; happened: string[] }> {
  const happened: string[] = [];
  class Ask extends RecordTask<Row, Row> {
    override open(): void {
      happened.push('opened');
    }

    protected override process(row: Row): Row {
      happened.push('asked');
      return row;
    }
  }
  const read = function* (): Generator<Row> {
    happened.push('read');
    yield { id: 1 };
  };
  const flow = defineWorkflow({
    name: 'Results',
    build: (tasks) => tasks.task('Read', sourceTask(read)).task('Ask', ['Read'], new Ask()).task('Out', ['Ask'], sink),
  });
  const failure = await flow.run(undefined, { threads: 0, ...options }).finished.then(
    ({ outcome }) => outcome,
    (error: unknown) => {
      const { code, message } = error as { readonly code: string; readonly message: string };
      return `${code} ${message.replaceAll(`${folder}/`, '')}`;
    },
  );
  return { failure, happened };
}

const sinks: readonly (readonly [string, (path: string) => Task<Row, unknown>])[] = [
  ['csv', (path) => csvSink({ path, columns: ['id'] })],
  ['ndjson', (path) => ndjsonSink({ path })],
];

const PLACES = [
  ['missing/out.csv', "the folder 'missing' does not exist; create it first"],
  ['missing/deep/out.csv', "the folder 'missing/deep' does not exist; create it first"],
  ['file/out.csv', "'file' is a file, not a folder; name a folder that exists"],
  ['file/deep/out.csv', "'file' is a file, not a folder; name a folder that exists"],
  ['sub', 'it is a folder; name a file that may be written in it'],
] as const;

describe('a result that could not be written', () => {
  const cases = sinks.flatMap(([kind, sink]) => PLACES.map(([path, why]) => [kind, path, why, sink] as const));
  it.each(cases)('is refused before anything happens: %s to %s', async (_, path, why, sink) => {
    const { failure, happened } = await failureOf(sink(join(folder, path)));
    expect(failure).toBe(`MILLRACE_FILE Cannot write ${path}: ${why}`);
    expect(happened).toEqual([]);
  });

  it.each(PLACES)('is refused before anything happens: dead letters to %s', async (path, why) => {
    const deadLetters = deadLetterFile(join(folder, path));
    const { failure, happened } = await failureOf(ndjsonSink({ path: '/dev/null' }), { deadLetters });
    expect(failure).toBe(`MILLRACE_FILE Cannot write dead letters to ${path}: ${why}`);
    expect(happened).toEqual([]);
  });

  it('is refused by a sink of your own, which is named, and its `open` is not called', async () => {
    const calls: string[] = [];
    const sink: Sink<Row> = {
      check: () => Promise.reject(new Error('no such table')),
      open: () => void calls.push('open'),
      write: () => void calls.push('write'),
      close: () => void calls.push('close'),
    };
    const { failure, happened } = await failureOf(connectorSink(sink));
    expect(failure).toBe("MILLRACE_TASK Task 'Out' could not be opened: no such table");
    expect([...happened, ...calls]).toEqual([]);
  });
});

it('a check leaves nothing behind', async () => {
  await failureOf(csvSink({ path: join(folder, 'sub', 'out.csv'), columns: ['id'] }), {
    deadLetters: deadLetterFile(join(folder, 'missing', 'letters.ndjson')),
  });
  expect(readdirSync(join(folder, 'sub'))).toEqual([]);
});
