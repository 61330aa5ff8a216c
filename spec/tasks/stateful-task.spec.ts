/** Tasks with a state per key. */
import { describe, expect, it } from '@jest/globals';
import { defineWorkflow, sinkTask, skip, sourceTask, statefulTask, type Task } from 'millrace';
import { virtualClock } from 'millrace/testing';

interface Visit {
  readonly who: string;
  /** Milliseconds after the visit before. */
  readonly afterMs?: number;
}

async function outputsOf<Out>(
  visits: readonly Visit[],
  task: Task<Visit, Out>,
): Promise<{ outputs: Out[]; notices: string[]; outcome: string; failed: number }> {
  const clock = virtualClock();
  const outputs: Out[] = [];
  const notices: string[] = [];
  async function* source(): AsyncGenerator<Visit> {
    for (const visit of visits) {
      await new Promise<void>((resolve) => {
        clock.schedule(visit.afterMs ?? 0, resolve);
      });
      yield visit;
    }
  }
  const flow = defineWorkflow({
    name: 'Visits',
    build: (flow) =>
      flow
        .task('Visits', sourceTask(source))
        .task('State', ['Visits'], task)
        .task(
          'Write',
          ['State'],
          sinkTask((output: Out) => void outputs.push(output)),
        ),
  });
  const run = flow.run(undefined, { clock });
  run.events$.subscribe((event) => {
    if (event.type === 'notice') notices.push(event.message);
  });
  const { outcome, tasks } = await clock.runUntil(run.finished);
  return { outputs, notices, outcome, failed: tasks['State']?.deadLettered ?? 0 };
}

const count = {
  key: ({ who }: Visit) => who,
  init: () => 0,
  step: (seen: number, { who }: Visit) => [seen + 1, `${who}${seen + 1}`] as const,
};
const visits = (text: string): Visit[] => Array.from(text).map((who) => ({ who }));

describe('statefulTask', () => {
  it('keeps one state per key and emits one output per record, in order', async () => {
    expect((await outputsOf(visits('abaab'), statefulTask(count))).outputs).toEqual(['a1', 'b1', 'a2', 'a3', 'b2']);
  });

  it('drops records by `skip`, and keeps the state', async () => {
    const once = statefulTask({
      key: ({ who }: Visit) => who,
      init: () => false,
      step: (isKnown: boolean, { who }: Visit) => [true, isKnown ? skip('known') : who] as const,
    });
    expect((await outputsOf(visits('abacb'), once)).outputs).toEqual(['a', 'b', 'c']);
  });

  it('leaves the state as it was when `step` throws, and gives up that record alone', async () => {
    const picky = statefulTask({
      init: () => 0,
      step: (seen: number, { who }: Visit) => {
        if (who === 'x') throw new Error('no x');
        return [seen + 1, seen + 1] as const;
      },
    });
    expect(await outputsOf(visits('axbxc'), picky)).toMatchObject({ outputs: [1, 2, 3], failed: 2 });
  });

  it('ends the run with an error that names `step`, if it returns a promise', async () => {
    const step = (() => Promise.reject(new Error('too late'))) as unknown as (typeof count)['step'];
    await expect(outputsOf([{ who: 'a' }], statefulTask({ ...count, step }))).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_OPTION',
      message: expect.stringContaining("`step` of 'State' returned a promise"),
    });
  });

  it('evicts the key that was used longest ago beyond `maxKeys`, and reports it', async () => {
    const { outputs, notices } = await outputsOf(visits('abacab'), statefulTask(count, { maxKeys: 2 }));
    expect(outputs).toEqual(['a1', 'b1', 'a2', 'c1', 'a3', 'b1']);
    expect(notices).toEqual([
      "'State' evicts the states of keys, the first one because more than `maxKeys` (2) keys were in use",
      "'State' has evicted the states of 2 keys",
    ]);
  });

  it('evicts a key that got no record for `ttlMs`', async () => {
    const spaced: Visit[] = [
      { who: 'a' },
      { who: 'b', afterMs: 60 },
      { who: 'a', afterMs: 30 },
      { who: 'b', afterMs: 99 },
      { who: 'b', afterMs: 100 },
    ];
    const { outputs, notices } = await outputsOf(spaced, statefulTask(count, { ttlMs: 100 }));
    expect(outputs).toEqual(['a1', 'b1', 'a2', 'b1', 'b1']);
    expect(notices).toHaveLength(2);
  });

  it.each([
    ['no step', () => statefulTask({ init: () => 0 } as never), /`step` of a statefulTask/],
    ['an unknown function', () => statefulTask({ ...count, stpe: 1 } as never), /step/],
    ['an unknown option', () => statefulTask(count, { maxKey: 2 } as never), /maxKeys/],
    ['no time to live', () => statefulTask(count, { ttlMs: 0 }), /ttlMs/],
  ])('refuses %s', (_, make, message) => {
    expect(make).toThrow(message);
  });
});
