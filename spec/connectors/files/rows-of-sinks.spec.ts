/** What a sink of a table does with rows that have no named fields: an empty row would be written otherwise. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow, sourceTask, type RunSummary } from 'millrace';
import { csvSink } from 'millrace/csv';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-rows-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function write(
  records: readonly unknown[],
  row?: (record: unknown) => unknown,
): Promise<{ text: string; end: RunSummary }> {
  const path = join(folder, 'out.csv');
  const build = (row ?? ((record: unknown) => record)) as (record: unknown) => { v: string };
  const end = await defineWorkflow({
    name: 'Write',
    build: (flow) =>
      flow
        .task('Records', sourceTask(records))
        .task('File', ['Records'], csvSink({ path, columns: ['v'], row: build })),
  }).run().finished;
  return { text: readFileSync(path, 'utf8'), end };
}

describe('a row without named fields', () => {
  it.each([
    ['an array', ['x']],
    ['a Map', new Map([['v', 'x']])],
    ['a Set', new Set(['x'])],
    ['bytes', new Uint8Array([1])],
    ['a text', 'x'],
    ['null', null],
  ])('costs the record: %s', async (_, record) => {
    const { text, end } = await write([record, { v: 'ok' }]);
    expect(text).toBe('v\nok\n');
    expect(end.deadLettered).toBe(1);
  });

  it('fails the run if `row` returns a promise', async () => {
    await expect(write([{ v: 'x' }], (record) => Promise.resolve(record))).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_OPTION',
      message: expect.stringContaining("`row` of 'File' returned a promise"),
    });
  });
});
