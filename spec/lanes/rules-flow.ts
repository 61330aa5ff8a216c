/** A workflow with rules on whole tasks, for specs: the rows and counts are those of one process. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  asyncTask,
  defineWorkflow,
  repartition,
  sinkTask,
  skip,
  sourceTask,
  subWorkflow,
  syncTask,
  type TaskEnd,
} from 'millrace';
import { csvSink, csvSource } from 'millrace/csv';
import { z } from 'zod';

interface Item {
  readonly k: string;
  readonly n: number;
}

export const RULE_FILES = ['loaded', 'published', 'copied', 'cleaned'];

const Loading = defineWorkflow({
  name: 'Loading',
  build: (flow) =>
    flow
      .task('Rows', sourceTask<Item>([]))
      .task(
        'Check',
        ['Rows'],
        asyncTask((item: Item) => {
          if (item.n % 9 === 4) throw new Error('no good');
          return Promise.resolve(item.n % 7 === 3 ? skip('seventh') : item);
        }),
      )
      // A rule inside of a sub-workflow knows its tasks by their own names.
      .task(
        'Note',
        { after: ['Check'] },
        sinkTask(({ Check }) => {
          if (Check.status !== 'completed') throw new Error('too early');
        }),
      ),
});

/** The end of a task in one text, without durations. */
function inWords({ status, counts }: TaskEnd): string {
  return `${status} ${counts.in} ${counts.out} ${counts.skipped} ${counts.deadLettered}`;
}

export const RulesFlow = defineWorkflow({
  name: 'RulesFlow',
  config: z.object({
    folder: z.string(),
    items: z.number().default(60),
    window: z.number().default(2048),
    /** Fails the run at this record. */
    failAt: z.number().default(-1),
    isEndless: z.boolean().default(false),
    /** Fails the run in its second phase. */
    failsLater: z.boolean().default(false),
  }),
  window: ({ window }) => window,
  build: (flow, { folder, items, failAt, isEndless, failsLater }) => {
    const path = (name: string): string => `${folder}/${name}.csv`;
    /** Waits for as long as there is a file with the name of the task in the folder. */
    const whileHeld = async (task: string): Promise<void> => {
      while (existsSync(`${folder}/${task}`)) await sleep(20);
    };
    return (
      flow
        .task(
          'In',
          sourceTask(function* () {
            for (let n = 0; isEndless || n < items; n++) yield { k: `k${n % 5}`, n };
          }),
        )
        .task(
          'Spread',
          ['In'],
          repartition(({ k }) => k),
        )
        .task('Load', ['Spread'], subWorkflow(Loading, { input: 'Rows', output: 'Check' }))
        .task(
          'Guard',
          ['Load'],
          syncTask(
            (item) => {
              if (item.n === failAt) throw new Error(`bad ${failAt}`);
              return item;
            },
            { onFailure: 'fail' },
          ),
        )
        .task('Loaded', ['Guard'], csvSink({ path: path('loaded'), columns: ['k', 'n'] }))
        .task(
          'Publish',
          { after: ['Load', 'Loaded'] },
          asyncTask(async ({ Load, Loaded }) => {
            await whileHeld('Publish');
            if (failsLater) throw new Error('not published');
            return { load: inWords(Load), loaded: `${Loaded.status} ${Loaded.counts.in}` };
          }),
        )
        .task('Published', ['Publish'], csvSink({ path: path('published'), columns: ['load', 'loaded'] }))
        // Reads the rows of an earlier phase.
        .task('Again', { after: ['Loaded'] }, csvSource({ path: path('loaded') }))
        .task('Copied', ['Again'], csvSink({ path: path('copied'), columns: ['k', 'n'] }))
        .task(
          'Alert',
          { after: ['Loaded', 'Publish'], when: 'failed' },
          syncTask(({ Loaded }) => ({ status: Loaded.status, error: Loaded.error?.message ?? '' })),
        )
        .task('Alerted', ['Alert'], csvSink({ path: path('alerted'), columns: ['status', 'error'] }))
        .task(
          'Clean up',
          { after: ['Loaded', 'Published', 'Copied', 'Alerted'], when: 'ended' },
          asyncTask(async (ends) => {
            await whileHeld('Clean up');
            return {
              loaded: ends.Loaded.status,
              published: ends.Published.status,
              copied: ends.Copied.status,
              alerted: ends.Alerted.status,
            };
          }),
        )
        .task(
          'Cleaned',
          ['Clean up'],
          csvSink({ path: path('cleaned'), columns: ['loaded', 'published', 'copied', 'alerted'] }),
        )
    );
  },
});
