/**
 * A workflow with durable state, made to be killed: an expansion that throws midway, an aggregate, a keyed join, a
 * latest join, states per key here and in threads, windows with late records, and records that fail until they are healed, also behind a choice, a failed path
 * and a merge, and in front of an optional input. What comes out is decided by the input alone, except for the order of pairs.
 */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { aggregateTask, asyncTask, branch, defineWorkflow, expandTask, statefulTask, syncTask } from 'millrace';
import { tumbling, windowTask } from 'millrace/windows';
import { csvSink, csvSource } from 'millrace/csv';
import { z } from 'zod';
import { listed, tally } from './state-functions.js';

const StateConfig = z.strictObject({
  input: z.string(),
  names: z.string(),
  setting: z.string(),
  /** The file whose existence heals the records that fail. */
  healed: z.string(),
});

const Row = z.object({ n: z.coerce.number().int() });
type Row = z.output<typeof Row>;
const Name = z.object({ key: z.coerce.number().int(), name: z.string() });
type Name = z.output<typeof Name>;

interface Part {
  readonly n: number;
  readonly part: number;
}

/** Fails each time on one of so many numbers. */
function failing(of: number, rest: number) {
  return asyncTask(async ({ n }: Row) => {
    await sleep(n % 4);
    if (n % of === rest) throw new Error(`${n} is no good`);
    return { n };
  });
}

function* partsOf({ n }: Row): Generator<Part> {
  for (let part = 0; part < n % 4; part++) {
    if (n % 13 === 5 && part === 1) throw new Error(`${n} breaks off`);
    yield { n, part };
  }
}

export const StateFlow = defineWorkflow({
  name: 'StateFlow',
  config: StateConfig,
  window: 128,
  build: (flow, { input, names, setting, healed }) =>
    flow
      .task('Read', csvSource({ path: input, columns: ['n'], schema: Row }))
      .task('Names', csvSource({ path: names, columns: ['key', 'name'], schema: Name }))
      .task('Setting', csvSource({ path: setting, columns: ['n'], schema: Row }))
      .task(
        'Work',
        ['Read'],
        asyncTask(
          async ({ n }: Row) => {
            await sleep((n * 7) % 5);
            if (n % 97 === 0) throw new Error(`${n} is one that fails`);
            return { n };
          },
          { concurrency: 16 },
        ),
      )
      .task(
        'Check',
        ['Read'],
        asyncTask(async ({ n }: Row) => {
          await sleep(n % 3);
          if (n % 53 === 1 && !existsSync(healed)) throw new Error(`${n} is not healed`);
          return { n };
        }),
      )
      .task('Checked', ['Check'], csvSink({ path: 'checked.csv', columns: ['n'] }))
      .task('Parts', ['Work'], expandTask<Row, Part>(partsOf))
      .task('Pieces', ['Parts'], csvSink({ path: 'pieces.csv', columns: ['n', 'part'] }))
      .task(
        'Sum',
        ['Parts'],
        aggregateTask({
          key: ({ n }: Part) => n % 7,
          init: () => ({ count: 0, sum: 0 }),
          add: (total, { n }: Part) => {
            total.count++;
            total.sum += n;
            return total;
          },
          finish: (total, key) => ({ key, ...total }),
        }),
      )
      .task('Totals', ['Sum'], csvSink({ path: 'totals.csv', columns: ['key', 'count', 'sum'] }))
      .task(
        'Pair',
        ['Parts', 'Names'],
        { join: 'keyed', kind: 'inner', on: [({ n }: Part) => n % 20, ({ key }: Name) => key] },
        syncTask(([{ n, part }, { name }]) => ({ n, part, name })),
      )
      .task('Pairs', ['Pair'], csvSink({ path: 'pairs.csv', columns: ['n', 'part', 'name'] }))
      .task(
        'See',
        ['Work', 'Setting'],
        { join: 'latest' },
        syncTask(([{ n }, { n: value }]) => ({ n, setting: value })),
      )
      .task('Seen', ['See'], csvSink({ path: 'seen.csv', columns: ['n', 'setting'] }))
      .task(
        'Count',
        ['Work'],
        statefulTask({
          key: ({ n }: Row) => n % 5,
          init: () => ({ count: 0, sum: 0 }),
          step: (state, { n }: Row) => {
            state.count++;
            state.sum += n;
            return [state, { n, count: state.count, sum: state.sum }];
          },
        }),
      )
      .task('Counted', ['Count'], csvSink({ path: 'counted.csv', columns: ['n', 'count', 'sum'] }))
      .task(
        'Window',
        ['Work'],
        windowTask(
          {
            key: ({ n }: Row) => n % 3,
            // Some records are later than the lateness allows.
            timestamp: ({ n }) => n * 10 - (n % 11 === 0 ? 500 : n % 5),
            window: tumbling(70),
            init: () => ({ count: 0, sum: 0 }),
            add: (state, { n }) => {
              state.count++;
              state.sum += n;
              return state;
            },
            finish: (state, { key, start }) => ({ key, start, ...state }),
          },
          { allowedLatenessMs: 100 },
        ),
      )
      .task('Windows', ['Window'], csvSink({ path: 'windows.csv', columns: ['key', 'start', 'count', 'sum'] }))
      .task(
        'Late',
        ['Window.late'],
        syncTask(({ record, lateByMs }) => ({ n: record.n, lateByMs })),
      )
      .task('Lates', ['Late'], csvSink({ path: 'late.csv', columns: ['n', 'lateByMs'] }))
      // Records that fail behind a choice, a failed path and a merge, and in front of an optional input.
      .task(
        'Route',
        ['Read'],
        branch(['odd', 'even'], ({ n }: Row) => (n % 2 === 0 ? 'even' : 'odd')),
      )
      .task('Odd', ['Route.odd'], failing(61, 3))
      .task(
        'Repair',
        ['Odd.failed'],
        syncTask(({ record: { n } }) => ({ n })),
      )
      .task(
        'Both',
        ['Odd', 'Repair', 'Route.even'],
        { join: 'merge', labelled: true },
        syncTask(({ from, record: { n } }) => ({ n, from })),
      )
      .task(
        'Approve',
        ['Both'],
        asyncTask(async ({ n, from }) => {
          await sleep(n % 3);
          if (n % 59 === 2 && !existsSync(healed)) throw new Error(`${n} is not approved`);
          return { n, from };
        }),
      )
      .task('Routed', ['Approve'], csvSink({ path: 'routed.csv', columns: ['n', 'from'] }))
      .task('Extra', ['Approve'], failing(71, 4))
      .task(
        'Enrich',
        ['Approve', 'Extra'],
        { join: 'aligned', optional: ['Extra'] },
        syncTask(([{ n }, extra]) => ({ n, found: extra !== undefined })),
      )
      .task('Enriched', ['Enrich'], csvSink({ path: 'enriched.csv', columns: ['n', 'found'] }))
      .task('Tally', ['Work'], statefulTask(tally, { partitionBy: 'key' }))
      .task('Tallied', ['Tally'], csvSink({ path: 'tallied.csv', columns: ['n', 'count', 'sum'] }))
      .task('List', ['Work'], aggregateTask(listed, { partitionBy: 'key' }))
      .task('Listed', ['List'], csvSink({ path: 'listed.csv', columns: ['key', 'list'] })),
});
