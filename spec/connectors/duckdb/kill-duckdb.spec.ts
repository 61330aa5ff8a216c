/** A run over a query of DuckDB that is killed with SIGKILL while it writes, and resumed. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { expect, it } from '@jest/globals';
import { DuckdbSession } from '#lib/connectors/duckdb/duckdb-session.js';
import { hasCheckpoint, killedRun, resumedRun } from '../../support/killed-run.js';

const FLOW = fileURLToPath(new URL('./modules/squares-flow.js', import.meta.url));
const ROWS = 2000;

it('a killed run over DuckDB has each row once in both files after it is resumed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-kill-'));
  try {
    const settings = ['--set', `rows=${ROWS}`, '--set', 'place='];
    const id = await killedRun(['--workflow', FLOW, ...settings], { folder }, () => hasCheckpoint(folder));
    await resumedRun(id, { folder });
    const expected = Array.from({ length: ROWS }, (_, n) => ({ id: n, square: n * n }));
    const lines = gunzipSync(readFileSync(join(folder, 'squares.ndjson.gz')))
      .toString()
      .trimEnd()
      .split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(expected);
    const session = await DuckdbSession.open();
    const rows = await session.rows('spec', `SELECT id, square FROM '${join(folder, 'squares.parquet')}'`);
    await session.close();
    expect(rows.map(([n, square]) => ({ id: n, square: Number(square) }))).toEqual(expected);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);
