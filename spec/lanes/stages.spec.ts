/** How a workflow is cut into stages, and what is refused. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  aggregateTask,
  asyncTask,
  defineWorkflow,
  expandTask,
  operatorTask,
  type SourceTask,
  repartition,
  sinkTask,
  sourceTask,
  statefulTask,
  syncTask,
  type Flow,
} from 'millrace';
import { tumbling, windowJoin, windowTask } from 'millrace/windows';
import { csvSink } from 'millrace/csv';
import { kafka, kafkaSink } from 'millrace/kafka';
import { stagesOf, type StagePlan } from 'millrace/lanes';
import { prepareStage, type EdgeKey, type StageEnds } from '#lib/lanes/stage-workflow.js';
import { of } from 'rxjs';
import { OfferWorkFlow } from '#workflows/index.js';

interface Item {
  readonly k: string;
  readonly n: number;
}

const cluster = kafka({ brokers: ['localhost:9092'] });
const items = (): SourceTask<Item> => sourceTask<Item>([{ k: 'a', n: 1 }]);
const sums = () =>
  aggregateTask({
    key: ({ k }: Item) => k,
    init: () => 0,
    add: (sum, { n }: Item) => sum + n,
    finish: (n, k) => ({ k, n }),
  });
const count = () =>
  aggregateTask({ init: () => 0, add: (sum: number, _: Item) => sum + 1, finish: (n) => ({ k: '', n }) });
const perMinute = (isKeyed = true) =>
  windowTask({
    ...(isKeyed && { key: ({ k }: Item) => k }),
    timestamp: ({ n }: Item) => n,
    window: tumbling(60_000),
    init: () => 0,
    add: (sum: number, { n }: Item) => sum + n,
    finish: (n, { key: k }) => ({ k, n }),
  });
const out = () => csvSink<Item, 'k' | 'n'>({ path: 'out.csv', columns: ['k', 'n'] });

function planOf<Outputs>(build: (flow: Flow<object>) => Flow<Outputs>): StagePlan {
  const workflow = defineWorkflow({ name: 'A flow', build: (flow) => build(flow) });
  return stagesOf({ workflow: workflow.prepare(), cluster, runId: 'r1', partitions: 3 });
}

function shown({ stages }: StagePlan): string[] {
  return stages.map(({ name, lanes, tasks }) => `${name} ${lanes}: ${tasks.join(', ')}`);
}

describe('the stages of a workflow', () => {
  it('are cut in front of a keyed aggregate and in front of a file, whose joined input crosses as one record', () => {
    const base = { csv_path: 'members.csv', result_output_path: 'out.csv', performance_output_path: 'summary.json' };
    const plan = stagesOf({ workflow: OfferWorkFlow.prepare(base), cluster, runId: 'r1' });
    expect(shown(plan)).toEqual([
      'Extract 1: Extract',
      'Transform 12: Transform, ATS Predict, RESP Predict, ATS-RESP Combiner, Offer Recommendation',
      'Load 1: Load',
    ]);
    expect(plan.stages.flatMap(({ inputs }) => inputs.map(({ topic, labels }) => [topic, labels]))).toEqual([
      ['millrace.OfferWorkFlow.r1.Transform', ['Extract']],
      ['millrace.OfferWorkFlow.r1.Load', ['Transform', 'ATS Predict', 'RESP Predict', 'Offer Recommendation']],
    ]);
    expect(plan.group).toBe('millrace.OfferWorkFlow.r1');
  });

  it('have numbers of their own where an expansion has the records of a topic as its parents', () => {
    const plan = planOf((flow) =>
      flow
        .task('In', items())
        .task(
          'Before',
          ['In'],
          expandTask((item) => [item, item]),
        )
        .task('Sum', ['Before'], sums())
        .task(
          'Sums',
          ['Sum'],
          expandTask((item) => [item, item]),
        )
        .task(
          'Spread',
          ['Before'],
          repartition(({ k }) => k),
        )
        .task(
          'Two',
          ['Spread'],
          expandTask((item) => [item, item]),
        ),
    );
    expect(plan.stages.map(({ name, isNumbered }) => [name, isNumbered])).toEqual([
      ['In', false],
      ['Sum', false],
      ['Spread', true],
    ]);
  });

  it('of tasks that run after others begin in a later phase, without the tasks that run only after a failure', () => {
    const plan = planOf((flow) =>
      flow
        .task('In', items())
        .task('Sum', ['In'], sums())
        .task('Later', { after: ['Sum'] }, items())
        .task('Again', ['Later'], sums())
        .task(
          'Alert',
          { after: ['Sum', 'Again'], when: 'failed' },
          sinkTask(() => undefined),
        )
        .task(
          'Tell',
          { after: ['Again', 'Alert'], when: 'ended' },
          sinkTask(() => undefined),
        ),
    );
    expect(plan.stages.map(({ name, lanes, phase }) => [name, lanes, phase])).toEqual([
      ['In', 1, 0],
      ['Sum', 3, 0],
      ['Later', 1, 1],
      ['Again', 3, 1],
      ['Tell', 1, 3],
    ]);
    expect([...plan.skipped]).toEqual([['Alert', "'Alert' runs when 'Sum' or 'Again' has failed, and none has"]]);
  });

  it('are cut in front of keyed states, keyed joins and repartitions, once per side of a join', () => {
    const plan = planOf((flow) =>
      flow
        .task('In', items())
        .task(
          'Spread',
          ['In'],
          repartition(({ k }) => k),
        )
        .task(
          'Last',
          ['Spread'],
          statefulTask({
            key: ({ k }: Item) => k,
            init: () => 0,
            step: (s, item: Item) => [s + 1, item],
          }),
        )
        .task('Sum', ['Spread'], sums())
        .task(
          'Pair',
          ['Last', 'Sum'],
          { join: 'keyed', kind: 'inner', on: [({ k }) => k, ({ k }) => k] },
          syncTask(([{ k, n }]) => ({ k, n })),
        ),
    );
    expect(shown(plan)).toEqual(['In 1: In', 'Spread 3: Spread', 'Last 3: Last', 'Sum 3: Sum', 'Pair 3: Pair']);
    expect(plan.stages.at(-1)?.inputs.map(({ topic, reader }) => [topic, reader])).toEqual([
      ['millrace.A-flow.r1.Pair-Last', 'Last'],
      ['millrace.A-flow.r1.Pair-Sum', 'Sum'],
    ]);
  });

  it('leave together what one lane does anyway', () => {
    const plan = planOf((flow) =>
      flow
        .task('In', items())
        .task(
          'Two',
          ['In'],
          expandTask((item) => [item, item]),
        )
        .task('Count', ['Two'], count())
        .task('Out', ['Count'], out()),
    );
    expect(shown(plan)).toEqual(['In 1: In, Two, Count, Out']);
  });

  it('bring everything to one lane for what needs all records, and leave Kafka sinks in theirs', () => {
    const plan = planOf((flow) =>
      flow
        .task('In', items())
        .task('Sum', ['In'], sums())
        .task('Topic', ['Sum'], kafkaSink<Item>({ cluster, topic: 'sums' }))
        .task('Named', ['Sum'], kafkaSink<Item>({ cluster, topic: 'sums', transactionalId: 'mine' }))
        .task('Count', ['Sum'], count()),
    );
    expect(shown(plan)).toEqual(['In 1: In', 'Sum 3: Sum, Topic', 'Named 1: Named', 'Count 1: Count']);
  });

  it('have topics with names of their own', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1, unit: 'grapheme' }), { minLength: 1, maxLength: 8 }),
        (names) => {
          const plan = planOf((flow) => {
            const all = flow.task('In', items()) as unknown as Flow<never>;
            return names
              .map((name) => `T${name}`)
              .reduce<Flow<never>>(
                (built, name) => built.task(name as never, ['In'] as never, sums() as never) as never,
                all,
              );
          });
          const topics = plan.stages.flatMap(({ inputs }) => inputs.map(({ topic }) => topic));
          const all = [...topics, plan.stateTopic, plan.letterTopic, plan.runTopic];
          expect(new Set(all).size).toBe(all.length);
          for (const topic of all) expect(topic).toMatch(/^[A-Za-z0-9._-]{1,249}$/);
        },
      ),
    );
  });
});

describe('what cannot be spread is refused', () => {
  const refusal = <Outputs>(build: (flow: Flow<object>) => Flow<Outputs>): unknown => {
    try {
      planOf(build);
    } catch (error) {
      return error;
    }
    return undefined;
  };

  it('an aligned join of two sides of a topic', () => {
    const error = refusal((flow) =>
      flow
        .task('In', items())
        .task(
          'Spread',
          ['In'],
          repartition(({ k }) => k),
        )
        .task(
          'Both',
          ['In', 'Spread'],
          syncTask(([one]) => one),
        ),
    );
    expect(error).toMatchObject({
      code: 'MILLRACE_SPREAD',
      message: expect.stringContaining(
        "'Both' joins 'In' and 'Spread' (aligned), which lie on two sides of a topic: the stage of source 'In' and the stage of 'Spread'",
      ) as unknown,
    });
  });

  it('sources that cannot be read again, failed records on a topic', () => {
    expect(
      refusal((flow) => flow.task('In', sourceTask(of({ k: 'a', n: 1 }))).task('Sum', ['In'], sums())),
    ).toMatchObject({
      code: 'MILLRACE_SPREAD',
      message: expect.stringContaining("'In' cannot be read again") as unknown,
    });
    expect(
      refusal((flow) =>
        flow
          .task('In', items())
          .task(
            'Ask',
            ['In'],
            asyncTask((item: Item) => Promise.resolve(item)),
          )
          .task(
            'Bad',
            ['Ask.failed'],
            repartition(() => 'all'),
          ),
      ),
    ).toMatchObject({
      code: 'MILLRACE_SPREAD',
      message: expect.stringContaining("'Ask.failed' would cross") as unknown,
    });
  });

  it('a run id that no topic can contain', () => {
    const workflow = defineWorkflow({
      name: 'A flow',
      build: (flow) => flow.task('In', items()).task('Sum', ['In'], sums()),
    });
    expect(() => stagesOf({ workflow: workflow.prepare(), cluster, runId: 'r 1' })).toThrow(
      expect.objectContaining({ code: 'MILLRACE_SPREAD' }),
    );
  });

  it('an operator with state of its own is brought to one lane', () => {
    const plan = planOf((flow) =>
      flow
        .task('In', items())
        .task('Sum', ['In'], sums())
        .task(
          'All',
          ['Sum'],
          operatorTask((input$) => input$),
        ),
    );
    expect(shown(plan).at(-1)).toBe('All 1: All');
  });

  it('divide windows of time by their key, with topics that carry the time', () => {
    const { stages } = planOf((flow) =>
      flow
        .task('S', items())
        .task('W', ['S'], perMinute())
        .task('Again', ['W'], perMinute())
        .task('All', ['Again'], perMinute(false))
        .task('A', ['All'], sums()),
    );
    expect(stages.map(({ name, lanes, inputs }) => [name, lanes, inputs.map(({ isTimed }) => isTimed)])).toEqual([
      ['S', 1, []],
      ['W', 3, [true]],
      ['Again', 3, [true]],
      ['All', 1, [true]],
      ['A', 3, [false]],
    ]);
  });

  it('bring the inputs of a window join to one topic', () => {
    const joined = () =>
      windowJoin({
        left: { from: 'One', key: ({ k }: Item) => k, timestamp: ({ n }) => n },
        right: { from: 'Two', key: ({ k }: Item) => k, timestamp: ({ n }) => n },
        window: tumbling(10),
        kind: 'inner',
      });
    const { stages } = planOf((flow) =>
      flow
        .task('One', items())
        .task('Two', items())
        .task('Both', ['One', 'Two'], { join: 'merge', labelled: true }, joined()),
    );
    expect(stages.at(-1)?.inputs).toHaveLength(1);
    expect(stages.flatMap(({ outputs }) => outputs)).toMatchObject([
      { topic: 'millrace.A-flow.r1.Both', label: 'One', writers: 2, firstWriter: 0 },
      { topic: 'millrace.A-flow.r1.Both', label: 'Two', writers: 2, firstWriter: 1 },
    ]);
  });

  it('refuse windows of time over records that have lost their order', () => {
    const build = (last: 'keyed' | 'whole') => () =>
      planOf((flow) =>
        flow
          .task('S', items())
          .task('A', ['S'], sums())
          .task('One', ['A'], count())
          .task('W', [last === 'keyed' ? 'A' : 'One'], perMinute(last === 'keyed')),
      );
    expect(build('keyed')).toThrow(/'W' has windows of time, and the records of 'A' have crossed a topic before/);
    expect(build('whole')).toThrow(/'W' has windows of time without a key behind the stage of 'One'/);
  });
});

describe('the key of a record that crosses a topic', () => {
  const firstKey = <Outputs>(build: (flow: Flow<object>) => Flow<Outputs>): EdgeKey => {
    const workflow = defineWorkflow({ name: 'A flow', build }).prepare();
    const { stages } = stagesOf({ workflow, cluster, runId: 'r1', partitions: 3 });
    const keys: EdgeKey[] = [];
    const sink: StageEnds['sink'] = (_, { key }) => {
      if (key !== undefined) keys.push(key);
      const dataset = { namespace: 'none', name: 'none' };
      return { kind: 'none', dataset, open: () => undefined, write: () => undefined };
    };
    const source = (): never => undefined as never;
    prepareStage(
      workflow,
      stages[0] as (typeof stages)[number],
      { sink, source, transaction: {}, startOf: () => ({}) },
      0,
    );
    return keys[0] as EdgeKey;
  };
  const totals = (key: EdgeKey) =>
    aggregateTask({ key, init: () => 0, add: (sum: number, _: Item) => sum, finish: (n) => ({ k: '', n }) });
  const aside = () => expandTask((item: Item) => [item]);
  const left = () => syncTask(([item]: readonly [Item, Item]) => item);

  const ways: Record<string, (key: EdgeKey) => EdgeKey> = {
    repartition: (key) =>
      firstKey((flow) =>
        flow.task('Items', items()).task('Cut', ['Items'], repartition<Item>(key)).task('Out', ['Cut'], out()),
      ),
    aggregate: (key) =>
      firstKey((flow) => flow.task('Items', items()).task('Cut', ['Items'], totals(key)).task('Out', ['Cut'], out())),
    'keyed join': (key) =>
      firstKey((flow) =>
        flow
          .task('Items', items())
          .task('Others', ['Items'], aside())
          .task('Cut', ['Items', 'Others'], { join: 'keyed', kind: 'inner', on: [key, key] }, left())
          .task('Out', ['Cut'], out()),
      ),
  };

  it.each(Object.entries(ways))('is checked as in one process: %s', (name, keyOf) => {
    const key = (value: unknown): unknown => keyOf(() => value)({});
    for (const value of ['a', 1, NaN, 2n, true, null, undefined]) expect(key(value)).toBe(value);
    const part = name === 'keyed join' ? '`on`' : '`key`';
    for (const value of [['a'], { k: 1 }, new Date(0), Symbol('k'), () => 1]) {
      expect(() => key(value)).toThrow(`Expected ${part} of 'Cut' to return a text`);
    }
    expect(() => key(Promise.reject(new Error('not read')))).toThrow(`${part} of 'Cut' returned a promise`);
  });
});
