/** A workflow that queries DuckDB and writes two files, made to be killed. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { asyncTask, defineWorkflow } from 'millrace';
import { duckdbSource, parquetSink } from 'millrace/duckdb';
import { ndjsonSink } from 'millrace/ndjson';
import { z } from 'zod';

const Config = z.strictObject({
  rows: z.coerce.number(),
  /** Where the files are written. */
  place: z.string(),
});

interface Square {
  readonly id: number;
  readonly square: number;
}

export const SquaresFlow = defineWorkflow({
  name: 'SquaresFlow',
  config: Config,
  build: (flow, { rows, place }) =>
    flow
      .task(
        'Squares',
        duckdbSource<Square>({
          sql: 'SELECT range AS id, range * range AS square FROM range($1)',
          params: [rows],
          keyset: ['id'],
        }),
      )
      .task(
        'Work',
        ['Squares'],
        asyncTask(
          async (square: Square) => {
            await sleep(8);
            // The last record waits for as long as there is a file `hold`, so the run cannot end before it is killed.
            while (square.id === rows - 1 && existsSync('hold')) await sleep(20);
            return square;
          },
          { concurrency: 8 },
        ),
      )
      .task('Lines', ['Work'], ndjsonSink({ path: `${place}squares.ndjson.gz` }))
      .task(
        'Table',
        ['Work'],
        parquetSink({ path: `${place}squares.parquet`, columns: { id: 'INTEGER', square: 'BIGINT' } }),
      ),
});
