/** A prepared workflow: parsed and built once, asked about and run without building again. */
import { describe, expect, it } from '@jest/globals';
import { defineWorkflow, sourceTask, syncTask, type BuildContext, type RunEvent } from 'millrace';
import type { StandardSchemaV1 } from '@standard-schema/spec';

function counted(build: (context: BuildContext) => void = () => undefined) {
  const calls = { builds: 0, parses: 0 };
  const config: StandardSchemaV1<{ size: number }> = {
    '~standard': {
      version: 1,
      vendor: 'spec',
      validate: (value) => {
        calls.parses++;
        return { value: value as { size: number } };
      },
    },
  };
  const workflow = defineWorkflow({
    name: 'Counted',
    config,
    build: (flow, { size }, context) => {
      calls.builds++;
      build(context);
      return flow.task('Numbers', sourceTask(Array.from({ length: size }, (_, n) => n))).task(
        'Same',
        ['Numbers'],
        syncTask((n: number) => n),
      );
    },
  });
  return { workflow, calls };
}

describe('a prepared workflow', () => {
  it('answers everything and runs with one parse and one build', async () => {
    const { workflow, calls } = counted();
    const prepared = workflow.prepare({ size: 3 });
    expect(prepared.plan.nodes.map(({ node }) => node.name)).toEqual(['Numbers', 'Same']);
    expect(prepared.declarations).toHaveLength(2);
    expect([prepared.name, prepared.config, prepared.hops]).toEqual(['Counted', { size: 3 }, []]);
    expect(prepared.redoable()({ task: 'Same', lineage: { root: 'Numbers', partition: 0, number: 1 } })).toBe(true);
    expect((await prepared.run().finished).tasks['Same']?.in).toBe(3);
    expect(calls).toEqual({ builds: 1, parses: 1 });
  });

  it('is what every method of a workflow uses: one parse and one build per call', async () => {
    const { workflow, calls } = counted();
    workflow.plan({ size: 1 });
    workflow.redoable({ size: 1 });
    await workflow.run({ size: 1 }).finished;
    expect(calls).toEqual({ builds: 3, parses: 3 });
  });

  it('refuses a second run, and says how to get one', async () => {
    const prepared = counted().workflow.prepare({ size: 1 });
    const run = prepared.run({ runId: 'first' });
    expect(() => prepared.run()).toThrow(
      expect.objectContaining({
        code: 'MILLRACE_INVALID_OPTION',
        message:
          "Expected one run of a prepared workflow, got a second one of 'Counted': its tasks belong to run first. Call `prepare` or `rebuild` for each run",
      }),
    );
    await run.finished;
  });

  it('may be run after options were refused', async () => {
    const prepared = counted().workflow.prepare({ size: 1 });
    expect(() => prepared.run({ window: 0 })).toThrow('window');
    expect((await prepared.run().finished).outcome).toBe('completed');
  });

  it('is built again for another run without another parse', async () => {
    const { workflow, calls } = counted();
    const prepared = workflow.prepare({ size: 2 });
    await prepared.run().finished;
    const again = prepared.rebuild({ startedAt: 7 });
    expect(again.startedAt).toBe(7);
    expect((await again.run().finished).outcome).toBe('completed');
    expect(calls).toEqual({ builds: 2, parses: 1 });
  });

  it('gives the builder the start that was asked for, and refuses one that is no time', () => {
    const starts: number[] = [];
    const { workflow } = counted(({ startedAt }) => starts.push(startedAt));
    workflow.prepare({ size: 1 }, { startedAt: 12 });
    expect(starts).toEqual([12]);
    expect(() => workflow.prepare({ size: 1 }, { startedAt: NaN })).toThrow('startedAt');
  });

  it('calls the dead letters of the definition once', async () => {
    let made = 0;
    const prepared = defineWorkflow({
      name: 'Letters',
      build: (flow) =>
        flow.task('Numbers', sourceTask([1])).task(
          'Same',
          ['Numbers'],
          syncTask((n: number) => n),
        ),
      deadLetters: () => {
        made++;
        return {
          write: () => undefined,
          whenReady: () => undefined,
          whenBroken: () => undefined,
          close: () => Promise.resolve(),
        } as never;
      },
    }).prepare();
    expect(prepared.deadLetters).toBe(prepared.deadLetters);
    await prepared.run().finished;
    expect(made).toBe(1);
  });
});

describe('notices of a builder', () => {
  it('made while it builds are events after run-started, in order', async () => {
    const { workflow } = counted(({ notice }) => {
      notice('one');
      notice('two');
    });
    const run = workflow.run({ size: 1 });
    const events: RunEvent[] = [];
    run.events$.subscribe((event) => events.push(event));
    await run.finished;
    expect(events.slice(0, 3)).toMatchObject([
      { type: 'run-started' },
      { type: 'notice', message: 'one' },
      { type: 'notice', message: 'two' },
    ]);
  });

  it('made after that are events at once', async () => {
    let later: BuildContext | undefined;
    const { workflow } = counted((context) => {
      later = context;
    });
    const run = workflow.run({ size: 1 });
    const messages: string[] = [];
    run.events$.subscribe((event) => event.type === 'notice' && messages.push(event.message));
    later?.notice('later');
    await run.finished;
    expect(messages).toEqual(['later']);
  });

  it('change nothing about a plan', () => {
    const { workflow } = counted(({ notice }) => {
      notice('unheard');
    });
    expect(() => workflow.plan({ size: 1 })).not.toThrow();
  });
});
