/**
 * A source that reads a pipe: no row waits for the next, a silent writer holds no run, and nobody reads a pipe twice.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defineWorkflow, sinkTask, type CheckpointStore, type SourceTask } from 'millrace';
import { csvSource } from 'millrace/csv';
import { ndjsonSource } from 'millrace/ndjson';
import { memoryCheckpoints } from 'millrace/testing';
import { CsvSource } from '#lib/connectors/csv/csv-source.js';
import { NdjsonSource } from '#lib/connectors/ndjson/ndjson-source.js';
import { contextOfTest } from '#lib/testing/connector-context.js';

let folder = '';
let pipe = '';
let writer: FileHandle | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipes-'));
  pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
});
afterEach(async () => {
  await writer?.close();
  writer = undefined;
  await rm(folder, { recursive: true });
});

/** Opened for reading too, so that the writer does not wait for its reader. */
async function write(text: string): Promise<void> {
  writer ??= await open(pipe, 'r+');
  await writer.write(text);
}

const kinds: [string, (path: string) => SourceTask<unknown>, string, unknown][] = [
  ['csv', (path) => csvSource({ path }), 'id\n1\n', { id: '1' }],
  ['ndjson', (path) => ndjsonSource({ path }), '1\n', 1],
];

/** @param onRecord called with each record that arrives. */
function reading(
  source: SourceTask<unknown>,
  onRecord: (record: unknown) => void,
  checkpoints?: CheckpointStore,
  threads = 0,
) {
  return defineWorkflow({
    name: 'Read',
    build: (tasks) => tasks.task('Read', source).task('Collect', ['Read'], sinkTask(onRecord)),
  }).run(undefined, { threads, ...(checkpoints && { checkpoints }) });
}

describe.each(kinds)('a %s source on a pipe', (kind, sourceOf, text, row) => {
  it.each(['drain', 'cancel'] as const)('that no program writes to ends with the run: %s', async (end) => {
    const run = reading(sourceOf(pipe), () => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    run[end]();
    expect(await run.finished).toMatchObject({
      outcome: `${end === 'drain' ? 'drain' : 'cancell'}ed`,
      deadLettered: 0,
    });
  });

  it('reads the rows that have come while the writer is silent, and then ends with the run', async () => {
    await write(text);
    let run: ReturnType<typeof reading> | undefined;
    const arrived = new Promise((resolve) => {
      run = reading(sourceOf(pipe), resolve);
    });
    expect(await arrived).toEqual(row);
    run?.drain();
    expect(await run?.finished).toMatchObject({ outcome: 'drained' });
  });

  it('makes a run that cannot be resumed, because the rows it has read are gone', async () => {
    await write(text);
    const kept = memoryCheckpoints();
    let run: ReturnType<typeof reading> | undefined;
    await new Promise((resolve) => {
      run = reading(sourceOf(pipe), resolve, kept.begin());
    });
    run?.drain();
    await run?.finished;
    expect(kept.last?.obstacle).toBe(`'Read' reads ${pipe}, a device or a pipe, which cannot be read again`);
    const source = kind === 'csv' ? new CsvSource({ path: pipe }) : new NdjsonSource({ path: pipe });
    // A run may have died before it could keep that.
    await expect(source.open(contextOfTest('Read'), { position: undefined, from: 0, partitions: [] })).rejects.toThrow(
      `Cannot continue to read ${pipe}: it is a device or a pipe, which cannot be read again`,
    );
    expect(source.find('1')).toEqual([]);
  });
});

it('a pipe is read in one part, also where threads would read the parts of a file', async () => {
  await write('id\n1\n');
  let run: ReturnType<typeof reading> | undefined;
  const arrived = new Promise((resolve) => {
    run = reading(csvSource({ path: pipe, partitions: 'auto' }), resolve, undefined, 1);
  });
  expect(await arrived).toEqual({ id: '1' });
  run?.drain();
  await run?.finished;
});

it('a mark that comes over a pipe in two pieces is still a mark', async () => {
  const mark = Buffer.from('\uFEFF');
  await write('');
  await writer?.write(mark.subarray(0, 1));
  let run: ReturnType<typeof reading> | undefined;
  const arrived = new Promise((resolve) => {
    run = reading(csvSource({ path: pipe }), resolve);
  });
  // The reader polls a pipe, so it sees the first piece alone in most runs of this test; both ways must do.
  await new Promise((resolve) => setTimeout(resolve, 15));
  await writer?.write(Buffer.concat([mark.subarray(1), Buffer.from('id\n1\n')]));
  expect(await arrived).toEqual({ id: '1' });
  run?.drain();
  await run?.finished;
});

it('a file is still resumed', async () => {
  const path = join(folder, 'a.csv');
  await writeFile(path, 'id\n1\n');
  const kept = memoryCheckpoints();
  await reading(csvSource({ path }), () => undefined, kept.begin()).finished;
  expect(kept.last?.obstacle).toBeUndefined();
});
