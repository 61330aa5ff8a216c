/**
 * A workflow with everything that a graph can say besides plain tasks, in front of a topic and behind it, for specs: the
 * same rows are expected of one process and of many.
 */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  aggregateTask,
  asyncTask,
  branch,
  defineWorkflow,
  expandTask,
  repartition,
  sourceTask,
  subWorkflow,
  syncTask,
  type FailedRecord,
} from 'millrace';
import { csvSink } from 'millrace/csv';
import { iterateTask, pageTask, type PageContext } from 'millrace/iterate';
import { memoFolder } from 'millrace/memo';
import { tumbling, windowTask } from 'millrace/windows';
import { z } from 'zod';

interface Item {
  readonly k: string;
  readonly n: number;
}

export const RECORDS = 240;
export const FILES = [
  'remembered',
  'deep',
  'deep-pages',
  'routes',
  'enriched',
  'repaired',
  'polled',
  'rated',
  'listed',
  'totals',
  'windows',
];

const isBad = (n: number, every: number): boolean => n % every === 3;

async function failing(item: Item, every: number): Promise<Item> {
  await sleep(3);
  if (isBad(item.n, every)) throw new Error('no good');
  return item;
}

/** One to three pages. */
function pagesOf() {
  return pageTask({
    page: async (_token: number | undefined, { record, page }: PageContext<Item>) => {
      await sleep(1);
      return { items: [{ n: record.n, text: page }], next: page < 1 + (record.n % 3) ? page : undefined };
    },
    maxPages: 3,
  });
}

/** Used as a part of the graph. */
const Rating = defineWorkflow({
  name: 'Rating',
  build: (flow) =>
    flow
      .task('Points', sourceTask<Item>([]))
      .task(
        'Half',
        ['Points'],
        branch(['odd', 'even'], ({ n }: Item) => (n % 2 === 0 ? 'even' : 'odd')),
      )
      .task(
        'Stars',
        ['Half.odd', 'Half.even'],
        { join: 'merge', labelled: true },
        syncTask(({ from, record: { n } }) => ({ n, text: `${from} ${'*'.repeat(n % 5)}` })),
      ),
});

/** Used once per record. */
const Digits = defineWorkflow({
  name: 'Digits',
  build: (flow) =>
    flow
      .task('Numbers', sourceTask<Item>([]))
      .task(
        'Each',
        ['Numbers'],
        expandTask(({ n }) => Array.from(String(n), Number)),
      )
      .task(
        'Look',
        ['Each'],
        asyncTask(async (digit: number) => {
          await sleep(1);
          return digit;
        }),
      )
      .task(
        'Sum',
        ['Look'],
        aggregateTask({ init: () => 0, add: (sum, digit: number) => sum + digit, finish: (sum) => sum }),
      ),
});

export const FeatureFlow = defineWorkflow({
  name: 'FeatureFlow',
  config: z.object({ folder: z.string() }),
  build: (flow, { folder }) => {
    const path = (name: string): string => `${folder}/${name}.csv`;
    return (
      flow
        .task('In', sourceTask([...new Array<undefined>(RECORDS).keys()].map((n): Item => ({ k: `k${n % 12}`, n }))))
        // In front of the topics.
        .task('Digits', ['In'], subWorkflow(Digits, { input: 'Numbers', output: 'Sum', forEach: 'one' }))
        .task(
          'Total',
          ['In', 'Digits'],
          syncTask(([{ n }, text]) => ({ n, text })),
        )
        .task('Totals', ['Total'], csvSink({ path: path('totals'), columns: ['n', 'text'] }))
        .task('Pages', ['In'], pagesOf())
        .task(
          'List',
          ['Pages'],
          { join: 'gather' },
          syncTask((pages) => ({ n: pages[0]?.n ?? -1, text: pages.map(({ text }) => text).join('-') })),
        )
        .task('Listed', ['List'], csvSink({ path: path('listed'), columns: ['n', 'text'] }))
        .task(
          'Window',
          ['In'],
          windowTask({
            key: ({ k }: Item) => k,
            timestamp: ({ n }) => n,
            window: tumbling(50),
            init: () => 0,
            add: (sum, { n }) => sum + n,
            finish: (n, { key, start }) => ({ n, text: `${key} ${start}` }),
          }),
        )
        .task('Windows', ['Window'], csvSink({ path: path('windows'), columns: ['n', 'text'] }))
        // Behind a topic, in several lanes.
        .task(
          'Spread',
          ['In'],
          repartition(({ k }) => k),
        )
        .task(
          'Route',
          ['Spread'],
          branch(['small', 'large'], ({ n }: Item) => (n < RECORDS / 2 ? 'small' : 'large')),
        )
        .task(
          'Small',
          ['Route.small'],
          asyncTask((item: Item) => failing(item, 1000)),
        )
        .task(
          'Both',
          ['Small', 'Route.large'],
          { join: 'merge', labelled: true },
          syncTask(({ from, record }) => ({ n: record.n, text: from })),
        )
        .task('Routes', ['Both'], csvSink({ path: path('routes'), columns: ['n', 'text'] }))
        .task(
          'Maybe',
          ['Spread'],
          asyncTask((item: Item) => failing(item, 20), { onFailure: 'skip' }),
        )
        .task(
          'Enrich',
          ['Spread', 'Maybe'],
          { join: 'aligned', optional: ['Maybe'] },
          syncTask(([{ n }, found]) => ({ n, text: found === undefined ? 'none' : found.k })),
        )
        .task('Enriched', ['Enrich'], csvSink({ path: path('enriched'), columns: ['n', 'text'] }))
        .task(
          'Ask',
          ['Spread'],
          asyncTask(async (item: Item) => {
            // The last record waits for as long as there is a file `hold` in the folder.
            while (item.n === RECORDS - 1 && existsSync(`${folder}/hold`)) await sleep(20);
            return failing(item, 10);
          }),
        )
        .task(
          'Repair',
          ['Ask.failed'],
          syncTask(({ record, error }: FailedRecord<Item>) => ({ n: record.n, text: error.message })),
        )
        .task('Repaired', ['Repair'], csvSink({ path: path('repaired'), columns: ['n', 'text'] }))
        .task(
          'Poll',
          ['Spread'],
          iterateTask({
            init: ({ n }: Item) => ({ n, text: 0 }),
            step: async ({ n, text }) => {
              await sleep(1);
              return { n, text: text + 1 };
            },
            until: ({ n, text }) => text > n % 4,
            maxIterations: 5,
            everyMs: 5,
          }),
        )
        .task('Polled', ['Poll'], csvSink({ path: path('polled'), columns: ['n', 'text'] }))
        .task(
          'Remember',
          ['Spread'],
          asyncTask((item: Item) => failing(item, 30), {
            onFailure: 'skip',
            memo: { store: memoFolder(`${folder}/memo`), version: 1 },
          }),
        )
        .task('Remembered', ['Remember'], csvSink({ path: path('remembered'), columns: ['n', 'k'] }))
        .task('Deep digits', ['Maybe'], subWorkflow(Digits, { input: 'Numbers', output: 'Sum', forEach: 'one' }))
        .task(
          'Deep',
          ['Maybe', 'Deep digits'],
          syncTask(([{ n }, text]) => ({ n, text })),
        )
        .task('Deeps', ['Deep'], csvSink({ path: path('deep'), columns: ['n', 'text'] }))
        .task('Deep pages', ['Spread'], pagesOf())
        .task('Deep rows', ['Deep pages'], csvSink({ path: path('deep-pages'), columns: ['n', 'text'] }))
        .task('Rate', ['Spread'], subWorkflow(Rating, { input: 'Points', output: 'Stars' }))
        .task('Rated', ['Rate'], csvSink({ path: path('rated'), columns: ['n', 'text'] }))
    );
  },
});
