/**
 * Options that an entry point exports are held against a table; the compiler then holds the table against the options.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';

const lib = new URL('../../lib/', import.meta.url).pathname;
const ENTRY_POINTS = [
  ...['index.ts', 'connect/index.ts', 'thread.ts', 'opentelemetry.ts', 'testing/index.ts'],
  ...['connectors/postgres/index.ts', 'connectors/sqlite/index.ts', 'connectors/duckdb/index.ts'],
  ...[
    'connectors/spark/index.ts',
    'connectors/s3/index.ts',
    'tasks/windows/index.ts',
    'tasks/iterate/index.ts',
    'memo/index.ts',
  ],
  'client/index.ts',
];

/** What is checked another way. */
const OTHERWISE: Readonly<Record<string, string>> = {
  JoinOptions: 'a union, of which each member has a table',
};

it('all options that the entry points export have a table', async () => {
  const names = (await Promise.all(ENTRY_POINTS.map((entry) => readFile(join(lib, entry), 'utf8')))).flatMap(
    (source) => source.match(/\b[A-Z]\w*Options\b/g) ?? [],
  );
  const files = (await readdir(lib, { recursive: true })).filter((file) => file.endsWith('.ts'));
  const sources = await Promise.all(files.map((file) => readFile(join(lib, file), 'utf8')));
  const tables = sources.flatMap((source) => source.match(/(?<=: OptionRules<)[^=]+(?=> =)/g) ?? []);
  const held = new Set(tables.flatMap((table) => table.match(/\b[A-Z]\w*Options\b/g) ?? []));
  expect(names).toContain('RunOptions');
  const known = Object.keys(OTHERWISE);
  expect(names.filter((name) => !held.has(name) && !known.includes(name))).toEqual([]);
});
