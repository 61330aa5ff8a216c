/** Rows to be written, and a file for them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
process.once('exit', () => {
  rmSync(folder, { recursive: true, force: true });
});

export const COLUMNS = ['id', 'name', 'value'] as const;

export type Row = Readonly<Record<(typeof COLUMNS)[number], string | number>>;

export function* rowsToWrite(count: number): Generator<Row, void, undefined> {
  for (let id = 0; id < count; id++) yield { id, name: `member ${id % 1000}`, value: (id * 37) % 5000 };
}

/** Removed when the process exits. */
export const writtenFile = join(folder, 'rows.csv');
