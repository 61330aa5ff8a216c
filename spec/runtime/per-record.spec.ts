/** Workflows that run once per record of another one. */
import { describe, expect, it } from '@jest/globals';
import {
  aggregateTask,
  asyncTask,
  defineWorkflow,
  expandTask,
  skip,
  sourceTask,
  statefulTask,
  subWorkflow,
  syncTask,
  type Task,
  type Workflow,
} from 'millrace';
import { memoryCheckpoints, recordingDeadLetters } from 'millrace/testing';
import { planStages } from '#lib/lanes/stages.js';
import { outputsOf } from '../support/outputs-of.js';

interface Order {
  readonly id: number;
  readonly items: readonly string[];
}

/** Prices of items by their length; 'free' has none, and 'odd' is unknown. */
const Pricing = defineWorkflow({
  name: 'Pricing',
  build: (flow) =>
    flow
      .task('Orders', sourceTask<Order>([]))
      .task(
        'Items',
        ['Orders'],
        expandTask(({ items }) => items),
      )
      .task(
        'Price',
        ['Items'],
        asyncTask(async (item) => {
          if (item === 'odd') throw new Error('unknown item');
          return item === 'free' ? skip('free') : item.length;
        }),
      )
      .task('Sum', ['Price'], aggregateTask(sum()))
      .task('By price', ['Price'], aggregateTask({ ...sum(), key: (price) => price, finish: (all, key) => [key, all] }))
      .task(
        'Both',
        ['Price', 'Sum', 'Orders'],
        { join: 'all' },
        syncTask(([prices, sums, orders]) => ({ prices: [...prices].sort(), sums, orders: orders.length })),
      ),
});

function sum(): {
  init: () => number;
  add: (all: number, price: number) => number;
  finish: (all: number) => number;
} {
  return { init: () => 0, add: (all, price) => all + price, finish: (all) => all };
}

const ORDERS: readonly Order[] = [
  { id: 1, items: ['a', 'bb', 'bb'] },
  { id: 2, items: [] },
  { id: 3, items: ['ccc', 'free', 'odd'] },
];

describe('a sub-workflow that runs once per record', () => {
  it('aggregates what descends from one record to one output, which keeps its lineage', async () => {
    const deadLetters = recordingDeadLetters();
    const { records, summary } = await outputsOf(
      'Show',
      (flow) =>
        flow
          .task('Orders', sourceTask(ORDERS))
          .task('Total', ['Orders'], subWorkflow(Pricing, { input: 'Orders', output: 'Sum', forEach: 'one' }))
          .task(
            'Show',
            ['Orders', 'Total'],
            syncTask(([{ id }, total]) => [id, total.toFixed()]),
          ),
      { deadLetters },
    );
    expect(records.sort()).toEqual([
      [1, '5'],
      [2, '0'],
      [3, '3'],
    ]);
    expect(deadLetters.letters.map(({ task, record }) => [task, record])).toEqual([['Total/Price', 'odd']]);
    const { tasks } = summary;
    expect(tasks['Total/Price']).toMatchObject({ in: 6, out: 4, skipped: 1, deadLettered: 1 });
    expect(tasks['Total/Sum']).toMatchObject({ kind: 'aggregate', in: 3, out: 3 });
    for (const { in: received, out, skipped, deadLettered, kind } of Object.values(tasks)) {
      if (kind !== 'expand' && kind !== 'list') expect([kind, received]).toEqual([kind, out + skipped + deadLettered]);
    }
  });

  it('may emit a list of several outputs per record, and collects as a whole what the workflow collects', async () => {
    const { records } = await outputsOf('Show', (flow) =>
      flow
        .task('Orders', sourceTask(ORDERS))
        .task('Prices', ['Orders'], subWorkflow(Pricing, { input: 'Orders', output: 'Price', forEach: 'list' }))
        .task('Groups', ['Orders'], subWorkflow(Pricing, { input: 'Orders', output: 'By price', forEach: 'list' }))
        .task('Both', ['Orders'], subWorkflow(Pricing, { input: 'Orders', output: 'Both', forEach: 'one' }))
        .task('Echo', ['Orders'], subWorkflow(Pricing, { input: 'Orders', output: 'Orders', forEach: 'list' }))
        .task(
          'Show',
          ['Orders', 'Prices', 'Groups', 'Both', 'Echo'],
          syncTask(([{ id }, prices, groups, both, echo]) => [id, [...prices].sort(), groups, both, echo.length]),
        ),
    );
    expect(records.sort()).toEqual([
      [
        1,
        [1, 2, 2],
        expect.arrayContaining([
          [1, 1],
          [2, 4],
        ]),
        { prices: [1, 2, 2], sums: [5], orders: 1 },
        1,
      ],
      [2, [], [], { prices: [], sums: [0], orders: 1 }, 1],
      [3, [3], [[3, 3]], { prices: [3], sums: [3], orders: 1 }, 1],
    ]);
  });

  it('collects over two expansions, and inside of another one', async () => {
    const Nested = defineWorkflow({
      name: 'Nested',
      build: (flow) =>
        flow
          .task('Carts', sourceTask<readonly Order[]>([]))
          .task(
            'Each',
            ['Carts'],
            expandTask((orders) => orders),
          )
          .task(
            'Items',
            ['Each'],
            expandTask(({ items }) => items),
          )
          .task('Total', ['Each'], subWorkflow(Pricing, { input: 'Orders', output: 'Sum', forEach: 'one' }))
          .task('Most', ['Total'], aggregateTask({ ...sum(), add: Math.max }))
          .task(
            'Shown',
            ['Items', 'Most'],
            { join: 'all' },
            syncTask(([items, most]) => [items.length, ...most]),
          ),
    });
    const { records } = await outputsOf('Show', (flow) =>
      flow
        .task('Carts', sourceTask([ORDERS, ORDERS.slice(1), []]))
        .task('Show', ['Carts'], subWorkflow(Nested, { input: 'Carts', output: 'Shown', forEach: 'one' })),
    );
    expect(records.sort()).toEqual([
      [0, 0],
      [3, 3],
      [6, 5],
    ]);
  });

  it('gives up a record whose aggregate throws, and checks the records of the list by their schema', async () => {
    const deadLetters = recordingDeadLetters();
    const Picky = defineWorkflow({
      name: 'Picky',
      build: (flow) =>
        flow
          .task('In', sourceTask<readonly number[]>([]))
          .task(
            'Each',
            ['In'],
            expandTask((numbers) => numbers),
          )
          .task(
            'Sum',
            ['Each'],
            aggregateTask({
              ...sum(),
              add: (all, n) => {
                if (n === 13) throw new Error('unlucky');
                return all + n;
              },
              finish: (all) => (all === 0 ? skip('nothing') : all),
            }),
          ),
    });
    const { records, summary } = await outputsOf(
      'Sum',
      (flow) =>
        flow
          .task('Lists', sourceTask([[1, 13], [2, 3], []]))
          .task('Sum', ['Lists'], subWorkflow(Picky, { input: 'In', output: 'Sum', forEach: 'one' })),
      { deadLetters },
    );
    expect(records).toEqual([5]);
    expect(summary.tasks['Sum/Sum']).toMatchObject({ in: 3, out: 1, deadLettered: 1, skipReasons: { nothing: 1 } });
    expect(deadLetters.letters.map(({ task, record }) => [task, record])).toEqual([['Sum/Sum', [1, 13]]]);
  });

  it('continues the records that were in flight when its run died, and repeats none that had settled', async () => {
    const kept = memoryCheckpoints();
    const asked: string[] = [];
    let mayEnd = false;
    const Asking = defineWorkflow({
      name: 'Asking',
      build: (flow) =>
        flow
          .task('Orders', sourceTask<Order>([]))
          .task(
            'Items',
            ['Orders'],
            expandTask(({ items }) => items),
          )
          .task(
            'Ask',
            ['Items'],
            asyncTask(
              async (item) => {
                asked.push(item);
                await new Promise((done) => setImmediate(done));
                if (item === 'odd' && !mayEnd) throw new Error('down');
                return item.length;
              },
              { concurrency: 1, onFailure: 'fail' },
            ),
          )
          .task('Sum', ['Ask'], aggregateTask(sum())),
    });
    const results: number[] = [];
    const Outer = defineWorkflow({
      name: 'Outer',
      build: (flow) =>
        flow
          .task('Orders', sourceTask(ORDERS))
          .task('Total', ['Orders'], subWorkflow(Asking, { input: 'Orders', output: 'Sum', forEach: 'one' }))
          .task(
            'Show',
            ['Total'],
            syncTask((total) => results.push(total)),
          ),
    });
    await expect(Outer.run(undefined, { checkpoints: kept.begin() }).finished).rejects.toThrow("'Total/Ask' failed");
    mayEnd = true;
    await Outer.run(undefined, { checkpoints: kept.begin(), ...(kept.last && { resumeFrom: kept.last }) }).finished;
    expect(results.sort((a, b) => a - b)).toEqual([0, 5, 10]);
    expect(asked).toEqual(['a', 'bb', 'bb', 'ccc', 'free', 'odd', 'odd']);
  });

  it('stays in one stage of a workflow over several processes', () => {
    const { plan, declarations } = outer(Pricing, { input: 'Orders', output: 'Sum', forEach: 'one' }).plan();
    const { stages } = planStages(plan, declarations, { workflow: 'Outer', run: '1', partitions: 3 });
    expect(stages.map(({ name }) => name)).toEqual(['Orders']);
    const flat = outer(Pricing, { input: 'Orders', output: 'By price' }).plan();
    const cut = planStages(flat.plan, flat.declarations, { workflow: 'Outer', run: '1', partitions: 3 });
    expect(cut.stages.map(({ name }) => name)).toEqual(['Orders', 'Sub/By price']);
  });

  it.each([
    ['one', 'Price', "'Sub/Price' emits several records per record, because 'Sub/Items' expands it"],
    ['list', 'Counted', "'Sub/Counted' is a task of kind 'stateful', which works over all records together"],
    ['list', 'Newest', "'Sub/Newest' joins by 'latest'"],
    ['list', 'Then', "'Sub/Then' runs after other tasks"],
    ['list', 'More', "'Sub/More' is a source of its own"],
    ['list', 'Pryce', "Task 'Sub' depends on 'Sub/Pryce', which does not exist. Did you mean 'Sub/Price'"],
  ])("refuses (%s, '%s')", (forEach, output, message) => {
    const flow = Pricing.definition;
    if (!('build' in flow)) throw new Error('a definition with build');
    const Odd = defineWorkflow({
      name: 'Odd',
      build: (empty) => {
        const built = flow.build(empty, undefined, undefined as never) as never as typeof empty;
        const next = built as never as { task: (...given: unknown[]) => typeof next };
        const counted = statefulTask({ key: String, init: () => 0, step: (n) => [n + 1, n] });
        if (output === 'Counted') return next.task('Counted', ['Price'], counted) as never;
        if (output === 'Newest')
          return next.task('Newest', ['Price', 'Orders'], { join: 'latest' }, syncTask(String)) as never;
        if (output === 'Then') return next.task('Then', { after: ['Sum'] }, syncTask(String)) as never;
        if (output === 'More')
          return next.task('More', sourceTask([1])).task('Read', ['More'], syncTask(String)) as never;
        return built as never;
      },
    });
    expect(() => outer(Odd, { input: 'Orders', output, forEach }).plan()).toThrow(message);
  });
});

function outer(inner: unknown, options: object): Workflow {
  const sub = subWorkflow(inner as Workflow, options as never) as never as Task<Order, unknown>;
  return defineWorkflow({
    name: 'Outer',
    build: (flow) => flow.task('Orders', sourceTask(ORDERS)).task('Sub', ['Orders'], sub),
  }) as never;
}
