/** A workflow whose tasks fail behind boundaries of each kind until they are repaired: their outputs are kept for a replay. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  aggregateTask,
  asyncTask,
  defineWorkflow,
  expandTask,
  repartition,
  sourceTask,
  statefulTask,
  syncTask,
} from 'millrace';
import { csvSink } from 'millrace/csv';
import { tumbling, windowTask } from 'millrace/windows';
import { z } from 'zod';

interface Item {
  readonly k: string;
  readonly n: number;
}

export const KIND_FILES = ['sums', 'running', 'windows', 'parts', 'merged', 'pairs', 'published'];

export const ReplayKindsFlow = defineWorkflow({
  name: 'ReplayKindsFlow',
  config: z.object({
    /** A file with the name `repaired` in this folder repairs all tasks. */
    folder: z.string(),
    items: z.number().default(40),
    window: z.number().default(256),
  }),
  window: ({ window }) => window,
  build: (flow, { folder, items }) => {
    const path = (name: string): string => join(folder, `${name}.csv`);
    /** A task that fails for about a third of its records. */
    const failing = <T extends { readonly at: number }>() =>
      syncTask((record: T) => {
        if (record.at % 3 === 1 && !existsSync(join(folder, 'repaired'))) throw new Error('broken');
        return record;
      });
    const columns = ['k', 'at'] as const;
    return flow
      .task('In', sourceTask([...new Array<undefined>(items).keys()].map((n): Item => ({ k: `k${n % 5}`, n }))))
      .task(
        'Sum',
        ['In'],
        aggregateTask({
          key: ({ k }: Item) => k,
          init: () => 0,
          add: (sum, { n }) => sum + n,
          finish: (at, k) => ({ k, at }),
        }),
      )
      .task('After sum', ['Sum'], failing<{ k: string; at: number }>())
      .task('Sums', ['After sum'], csvSink({ path: path('sums'), columns }))
      .task(
        'Run',
        ['In'],
        statefulTask({
          key: ({ k }: Item) => k,
          init: () => 0,
          step: (sum: number, { k, n }) => [sum + n, { k, at: sum + n }] as const,
        }),
      )
      .task('After run', ['Run'], failing<{ k: string; at: number }>())
      .task('Running', ['After run'], csvSink({ path: path('running'), columns }))
      .task(
        'Window',
        ['In'],
        windowTask({
          key: ({ k }: Item) => k,
          timestamp: ({ n }) => n,
          window: tumbling(10),
          init: () => 0,
          add: (sum, { n }) => sum + n,
          finish: (at, { key }) => ({ k: key, at }),
        }),
      )
      .task('After window', ['Window'], failing<{ k: string; at: number }>())
      .task('Windows', ['After window'], csvSink({ path: path('windows'), columns }))
      .task(
        'Spread',
        ['In'],
        repartition(({ k }: Item) => k),
      )
      .task(
        'Part',
        ['Spread'],
        expandTask(({ k, n }: Item) =>
          [...new Array<undefined>(n % 4).keys()].map((part) => ({ k, at: n * 10 + part })),
        ),
      )
      .task('After part', ['Part'], failing<{ k: string; at: number }>())
      .task('Parts', ['After part'], csvSink({ path: path('parts'), columns }))
      .task(
        'Odd',
        ['Spread'],
        syncTask(({ k, n }: Item) => ({ k, at: n * 2 + 1 })),
      )
      .task(
        'Even',
        ['Spread'],
        syncTask(({ k, n }: Item) => ({ k, at: n * 2 })),
      )
      .task(
        'Pair',
        ['Odd', 'Even'],
        syncTask(([odd, even]: readonly [{ k: string; at: number }, { at: number }]) => ({
          k: odd.k,
          at: odd.at + even.at,
        })),
      )
      .task('After pair', ['Pair'], failing<{ k: string; at: number }>())
      .task('Pairs', ['After pair'], csvSink({ path: path('pairs'), columns }))
      .task(
        'Merge',
        ['Run', 'Part'],
        { join: 'merge' },
        syncTask((one: { k: string; at: number }) => one),
      )
      .task('After merge', ['Merge'], failing<{ k: string; at: number }>())
      .task('Merged', ['After merge'], csvSink({ path: path('merged'), columns }))
      .task(
        'Publish',
        { after: ['Sums'] },
        asyncTask(({ Sums }) => Promise.resolve({ k: Sums.status, at: 1 })),
      )
      .task('After publish', ['Publish'], failing<{ k: string; at: number }>())
      .task('Published', ['After publish'], csvSink({ path: path('published'), columns }));
  },
});
