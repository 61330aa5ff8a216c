/**
 * Neighbouring sync tasks run as one loop: what nobody can distinguish from tasks that stand alone (`fuse: false`), and
 * what the loop must not forget.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  asyncTask,
  defineWorkflow,
  skip,
  sourceTask,
  syncTask,
  Workflow,
  type RunEvent,
  type TaskDeclaration,
} from 'millrace';
import { recordingDeadLetters } from 'millrace/testing';
import { task } from '../support/run-to-end.js';

/** What a step does to a record: by the record alone, so that both ways of running meet the same. */
interface Step {
  readonly skipsEvery: number;
  readonly failsEvery: number;
  readonly onFailure: 'dead-letter' | 'skip' | { readonly fallback: unknown };
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  skipsEvery: fc.constantFrom(0, 0, 3, 7),
  failsEvery: fc.constantFrom(0, 0, 2, 5, 11),
  onFailure: fc.constantFrom<Step['onFailure'][]>(
    'dead-letter',
    'skip',
    { fallback: 0 },
    { fallback: (n: unknown) => Number(n) + 100 },
    { fallback: () => skip('fell back to nothing') },
  ),
});

function stepTask({ skipsEvery, failsEvery, onFailure }: Step, index: number): TaskDeclaration['task'] {
  return syncTask(
    (n: number, { task, lineage }) => {
      if (skipsEvery > 0 && (lineage + index) % skipsEvery === 0) return skip(`${task} has enough of ${n}`);
      if (failsEvery > 0 && (lineage + 2 * index) % failsEvery === 0) throw new Error(`${task} cannot take ${n}`);
      return n * 2 + index;
    },
    { onFailure: onFailure as 'skip' },
  );
}

const names = (steps: readonly unknown[]): string[] => steps.map((_, index) => `T${index}`);

function declare(steps: readonly Step[], count: number, goneEvery: number): TaskDeclaration[] {
  const records = Array.from({ length: count }, (_, n) => n);
  return [
    task('S', [], sourceTask(records)),
    task(
      'G',
      ['S'],
      asyncTask(async (n: number) => (goneEvery > 0 && n % goneEvery === 0 ? skip('gone') : n), { ordered: true }),
    ),
    ...steps.map((step, index) => task(`T${index}`, [index === 0 ? 'G' : `T${index - 1}`], stepTask(step, index))),
  ];
}

async function everythingOf(
  tasks: readonly TaskDeclaration[],
  fuse: boolean,
  observed: readonly string[],
): Promise<unknown> {
  const letters = recordingDeadLetters();
  const run = new Workflow({ name: 'Chain', tasks: () => tasks, deadLetters: () => letters }).run(undefined, {
    fuse,
    seed: 1,
  });
  const outputs = Object.fromEntries(
    observed.map((name) => {
      const seen: unknown[] = [];
      run.output$(name).subscribe((value) => seen.push(value));
      return [name, seen];
    }),
  );
  const summary = await run.finished;
  const counts = Object.entries(summary.tasks).map(
    ([name, { in: taken, out, skipped, skipReasons, deadLettered, failed }]) => {
      return [name, { in: taken, out, skipped, skipReasons, deadLettered, failed }];
    },
  );
  const given = letters.letters.map(({ task, lineage, record, code, message }) =>
    [task, lineage.number, record, code, message].join(),
  );
  return { outcome: summary.outcome, outputs, counts, letters: given.sort() };
}

describe('a chain of sync tasks', () => {
  it('gives, counts and gives up what tasks that stand alone do', async () => {
    const observedOf = fc.constantFrom<'last' | 'all'>('last', 'last', 'all');
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyStep, { minLength: 2, maxLength: 5 }),
        fc.constantFrom(0, 1, 15, 17, 300),
        fc.constantFrom(0, 0, 4),
        observedOf,
        async (steps, count, goneEvery, observed) => {
          const watched = observed === 'all' ? names(steps) : names(steps).slice(-1);
          const fused = await everythingOf(declare(steps, count, goneEvery), true, watched);
          expect(fused).toEqual(await everythingOf(declare(steps, count, goneEvery), false, watched));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('keeps falsy records, and passes each step its own task and the lineage', async () => {
    const falsy = ['', 0, false, null, undefined, NaN];
    const seen = new Set<string>();
    const look = (
      record: unknown,
      { task, lineage, attempt }: { task: string; lineage: number; attempt: number },
    ): unknown => {
      seen.add(`${task} ${attempt} ${Object.is(record, falsy[lineage % falsy.length])}`);
      return record;
    };
    const run = defineWorkflow({
      name: 'Falsy',
      build: (flow) =>
        flow
          .task('S', sourceTask(Array.from({ length: 120 }, (_, n) => falsy[n % falsy.length])))
          .task('A', ['S'], syncTask(look))
          .task('B', ['A'], syncTask(look)),
    }).run();
    const out: unknown[] = [];
    run.output$('B').subscribe((record) => out.push(record));
    await run.finished;
    expect(out).toEqual(Array.from({ length: 120 }, (_, n) => falsy[n % falsy.length]));
    expect([...seen]).toEqual(['A 1 true', 'B 1 true']);
  });

  it.each([0, 200])("stops the run at record %d where a policy says 'fail', and names the task", async (bad) => {
    const run = defineWorkflow({
      name: 'Fail',
      build: (flow) =>
        flow
          .task('S', sourceTask(Array.from({ length: 300 }, (_, n) => n)))
          .task(
            'A',
            ['S'],
            syncTask((n: number) => n),
          )
          .task(
            'B',
            ['A'],
            syncTask(
              (n: number) => {
                if (n === bad) throw new Error('no');
                return n;
              },
              { onFailure: 'fail' },
            ),
          )
          .task(
            'C',
            ['B'],
            syncTask((n: number) => n),
          ),
    }).run();
    await expect(run.finished).rejects.toThrow(`Task 'B' failed on record ${bad} of 'S': no`);
  });

  it('refuses a promise in the middle, and names the task', async () => {
    const run = defineWorkflow({
      name: 'Promise',
      build: (flow) =>
        flow
          .task('S', sourceTask(Array.from({ length: 100 }, (_, n) => n)))
          .task(
            'A',
            ['S'],
            syncTask((n: number) => n),
          )
          .task(
            'B',
            ['A'],
            syncTask((n: number) => Promise.reject(new Error(String(n)))),
          )
          .task(
            'C',
            ['B'],
            syncTask((n: unknown) => n),
          ),
    }).run();
    await expect(run.finished).rejects.toThrow("The function of 'B' returned a promise");
  });

  it('says of each task how long it had the event loop', async () => {
    const working = (ms: number) => (n: number) => {
      const until = performance.now() + ms;
      while (performance.now() < until);
      return n;
    };
    const run = defineWorkflow({
      name: 'Shares',
      build: (flow) =>
        flow
          .task('S', sourceTask(Array.from({ length: 1000 }, (_, n) => n)))
          .task('A', ['S'], syncTask(working(0)))
          .task('B', ['A'], syncTask(working(0.2)))
          .task('C', ['B'], syncTask(working(0))),
    }).run();
    const progress: Extract<RunEvent, { type: 'progress' }>[] = [];
    run.events$.subscribe((event) => {
      if (event.type === 'progress') progress.push(event);
    });
    await run.finished;
    const busy = (name: string): number =>
      progress.reduce((sum, { tasks }) => sum + (tasks[name]?.shares.busy ?? 0), 0);
    expect(busy('B')).toBeGreaterThan(5 * busy('A'));
    expect(busy('B')).toBeGreaterThan(5 * busy('C'));
    expect(progress.at(-1)?.tasks['A']?.batches).toBeGreaterThan(0);
  });

  it('runs where text may not be compiled', async () => {
    const script = `
      import { defineWorkflow, sourceTask, syncTask } from 'millrace';
      const run = defineWorkflow({ name: 'Strict', build: (flow) => flow
        .task('S', sourceTask(Array.from({ length: 100 }, (_, n) => n)))
        .task('A', ['S'], syncTask((n) => n + 1))
        .task('B', ['A'], syncTask((n) => n * 2)) }).run();
      let sum = 0;
      run.output$('B').subscribe((n) => (sum += n));
      await run.finished;
      console.log(sum);`;
    const words = ['--disallow-code-generation-from-strings', '--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)(process.execPath, words);
    expect(stdout).toBe('10100\n');
  });
});
