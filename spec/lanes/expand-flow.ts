/** A workflow with expansions behind topics, for specs: of records of a topic, of an aggregate, and of each other. */
import { setTimeout as sleep } from 'node:timers/promises';
import { aggregateTask, asyncTask, defineWorkflow, expandTask, repartition, sourceTask, syncTask } from 'millrace';
import { csvSink } from 'millrace/csv';
import { pageTask, type PageContext } from 'millrace/iterate';
import { z } from 'zod';

interface Item {
  readonly k: string;
  readonly n: number;
}

interface Part {
  readonly n: number;
  readonly part: number;
}

export const FILES = ['parts', 'pages', 'lists', 'groups', 'letters'];

export const ExpandFlow = defineWorkflow({
  name: 'ExpandFlow',
  config: z.object({ folder: z.string(), items: z.number().default(60), window: z.number().default(2048) }),
  window: ({ window }) => window,
  build: (flow, { folder, items }) => {
    const path = (name: string): string => `${folder}/${name}.csv`;
    return flow
      .task('In', sourceTask([...new Array<undefined>(items).keys()].map((n): Item => ({ k: `k${n % 5}`, n }))))
      .task(
        'Spread',
        ['In'],
        repartition(({ k }) => k),
      )
      .task(
        'Work',
        ['Spread'],
        asyncTask(async (item: Item) => {
          await sleep(item.n % 3);
          if (item.n % 11 === 7) throw new Error('no good');
          return item;
        }),
      )
      .task(
        'Parts',
        ['Work'],
        expandTask(function* ({ n }: Item): Generator<Part> {
          for (let part = 0; part < n % 4; part++) {
            if (n % 13 === 6 && part === 1) throw new Error('breaks off');
            yield { n, part };
          }
        }),
      )
      .task('Kept parts', ['Parts'], csvSink({ path: path('parts'), columns: ['n', 'part'] }))
      .task(
        'Pages',
        ['Spread'],
        pageTask({
          page: async (from: number | undefined, { record: { n } }: PageContext<Item>) => {
            await sleep(1);
            const first = from ?? 0;
            const rest = (n % 5) - first;
            const page = [first, first + 1].slice(0, Math.max(0, rest)).map((part) => ({ n, part }));
            return rest > 2 ? { items: page, next: first + 2 } : { items: page };
          },
          maxPages: 4,
        }),
      )
      .task(
        'Letters',
        ['Pages'],
        expandTask(({ n, part }) => [`${n}a${part}`, `${n}b${part}`].map((text) => ({ n, text }))),
      )
      .task('Kept letters', ['Letters'], csvSink({ path: path('letters'), columns: ['n', 'text'] }))
      .task('Kept pages', ['Pages'], csvSink({ path: path('pages'), columns: ['n', 'part'] }))
      .task(
        'List',
        ['Pages'],
        { join: 'gather' },
        syncTask((parts) => ({ list: parts.map(({ n, part }) => `${n}.${part}`).join(' ') })),
      )
      .task('Lists', ['List'], csvSink({ path: path('lists'), columns: ['list'] }))
      .task(
        'Group',
        ['Spread'],
        aggregateTask({
          key: ({ k }: Item) => k,
          init: (): number[] => [],
          add: (all, { n }) => [...all, n],
          finish: (all, k) => ({ k, all: [...all].sort((a, b) => a - b) }),
        }),
      )
      .task(
        'Members',
        ['Group'],
        expandTask(({ k, all }) => all.map((n) => ({ k, n }))),
      )
      .task('Groups', ['Members'], csvSink({ path: path('groups'), columns: ['k', 'n'] }));
  },
});
