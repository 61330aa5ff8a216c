/**
 * Random graphs of parts with rules, whose tasks fail and whose processes die: each incarnation does what a reference
 * interpreter says, which knows nothing of checkpoints.
 */
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  asyncTask,
  sourceTask,
  syncTask,
  Workflow,
  type Run,
  type RuleCondition,
  type RunFailedError,
  type TaskDeclaration,
} from 'millrace';
import { memoryCheckpoints } from 'millrace/testing';
import { isLong } from '../support/long.js';

interface Part {
  readonly name: string;
  /** Whether it begins with a source; a part without a rule does. */
  readonly hasSource: boolean;
  /** Indices of earlier parts; empty for a part without a rule. */
  readonly after: readonly number[];
  readonly when: RuleCondition;
}
type Behaviour = 'succeed' | 'fail' | 'die';

/** What the first part that runs in a phase does, by incarnation and phase. After these incarnations all succeed. */
type Script = readonly (readonly Behaviour[])[];

const behaviour = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Behaviour>('succeed') },
  { weight: 2, arbitrary: fc.constant<Behaviour>('fail') },
  { weight: 1, arbitrary: fc.constant<Behaviour>('die') },
);
const cases = fc.record({
  parts: fc
    .array(
      fc.record({
        hasSource: fc.boolean(),
        picks: fc.uniqueArray(fc.nat(20), { maxLength: 3 }),
        when: fc.constantFrom<RuleCondition>('completed', 'ended', 'failed'),
      }),
      { minLength: 2, maxLength: 7 },
    )
    .map((given) =>
      given.map(({ hasSource, picks, when }, index): Part => {
        const after = index === 0 ? [] : [...new Set(picks.map((pick) => pick % index))];
        return { name: `P${index}`, hasSource: hasSource || after.length === 0, after, when };
      }),
    ),
  script: fc.array(fc.array(behaviour, { minLength: 7, maxLength: 7 }), { maxLength: 3 }),
});

/** What happens in one incarnation. */
interface Told {
  readonly outcome: 'completed' | 'failed' | 'died';
  readonly statuses: ReadonlyMap<string, string>;
  /** The parts that surely start, with the statuses of those that they run after. */
  readonly started: readonly string[];
  /** The parts that may start: they run beside one that fails or dies. */
  readonly beside: ReadonlySet<string>;
  /** The part that decides what happens, by phase. */
  readonly deciders: ReadonlyMap<string, Behaviour>;
}

/**
 * By the meaning of the words: phase by phase, with the parts that earlier incarnations have completed. Adds to `done`,
 * and to `perhaps` the parts beside one that fails or dies: nobody knows how far they came.
 */
function interpret(
  parts: readonly Part[],
  done: Set<string>,
  perhaps: Set<string>,
  script: readonly Behaviour[],
): Told {
  const statuses = new Map([...done].map((name) => [name, 'completed']));
  const placed = new Set<Part>();
  const started: string[] = [];
  const deciders = new Map<string, Behaviour>();
  const beside = new Set<string>();
  let hasFailed = false;
  for (let at = 0; placed.size < parts.length; at++) {
    const ready = parts.filter(
      (part) => !placed.has(part) && part.after.every((index) => placed.has(parts[index] as Part)),
    );
    const others = ready.filter(({ after, when }) => after.length === 0 || when !== 'ended');
    const phase = others.length > 0 ? others : ready;
    for (const part of phase) placed.add(part);
    const running = phase.filter(({ name, after, when }) => {
      if (done.has(name)) return false;
      const ends = after.map((index) => statuses.get((parts[index] as Part).name));
      const isMet =
        after.length === 0 ||
        when === 'ended' ||
        (when === 'failed' ? ends.includes('failed') : ends.every((end) => end === 'completed'));
      if (!isMet) statuses.set(name, 'skipped');
      return isMet;
    });
    const [decider] = running;
    if (decider === undefined) continue;
    const does = script[at] ?? 'succeed';
    deciders.set(decider.name, does);
    started.push(
      ...running
        .filter(({ hasSource, name }) => !hasSource && (does === 'succeed' || name === decider.name))
        .filter(({ name }) => !perhaps.has(name))
        .map(({ name, after }) => {
          const ends = after
            .map((index) => parts[index] as Part)
            .map((from) => `${from.name} ${statuses.get(from.name)}`);
          return `${name} after ${ends.join(', ')}`;
        }),
    );
    if (does !== 'succeed') {
      for (const { name } of running) {
        if (name === decider.name) continue;
        beside.add(name);
        if (!hasFailed) perhaps.add(name);
      }
    }
    if (does === 'die') return { outcome: 'died', statuses, started, beside, deciders };
    hasFailed ||= does === 'fail';
    for (const { name } of running) {
      statuses.set(name, does === 'fail' ? 'failed' : 'completed');
      if (!hasFailed) done.add(name);
    }
  }
  return { outcome: hasFailed ? 'failed' : 'completed', statuses, started, beside, deciders };
}

/** The tasks of the parts: the first one of each does what the script says, the last one is what rules name. */
function tasksOf(parts: readonly Part[], log: (line: string) => void, act: (part: string) => Promise<unknown>) {
  return parts.flatMap(({ name, hasSource, after, when }): TaskDeclaration[] => {
    const rule = after.length === 0 ? {} : { after: after.map((index) => `P${index}`), when };
    const work = asyncTask(
      async (input: unknown) => {
        if (!hasSource) {
          const ends = Object.entries(input as Record<string, { readonly status: string }>);
          log(`${name} after ${ends.map(([from, { status }]) => `${from} ${status}`).join(', ')}`);
        }
        await act(name);
        return name;
      },
      { onFailure: 'fail' },
    );
    const first: TaskDeclaration[] = hasSource
      ? [
          { name: `${name} source`, dependencies: [], ...rule, task: sourceTask([1]) },
          { name: `${name} work`, dependencies: [`${name} source`], task: work },
        ]
      : [{ name: `${name} work`, dependencies: [], ...rule, task: work }];
    return [...first, { name, dependencies: [`${name} work`], task: syncTask((one) => one) }];
  });
}

it('runs, skips and resumes the parts of a graph as the rules say, whatever fails and whenever the process dies', async () => {
  const seen = { completed: 0, failed: 0, died: 0, skipped: 0 };
  await fc.assert(
    fc.asyncProperty(cases, async ({ parts, script }: { parts: Part[]; script: Script }) => {
      const kept = memoryCheckpoints();
      const [done, perhaps] = [new Set<string>(), new Set<string>()];
      const dead: Run[] = [];
      for (let incarnation = 0, outcome = ''; outcome !== 'completed'; incarnation++) {
        const before = new Set(done);
        const reported = interpret(parts, done, perhaps, script[incarnation] ?? []);
        ({ outcome } = reported);
        seen[reported.outcome]++;
        const log: string[] = [];
        let isAlive = true;
        let onDeath = (): void => undefined;
        const died = new Promise<'died'>((resolve) => {
          onDeath = () => {
            isAlive = false;
            resolve('died');
          };
        });
        const act = async (part: string): Promise<unknown> => {
          if (before.has(part)) throw new Error(`${part} has completed before`);
          const does = reported.deciders.get(part);
          if (does === 'fail') throw new Error(`${part} fails`);
          if (does === 'die') {
            onDeath();
            return new Promise(() => undefined);
          }
          return undefined;
        };
        const report = (line: string): void => {
          if (isAlive) log.push(line);
        };
        const from = kept.last;
        const run = new Workflow({ name: 'Rules', tasks: () => tasksOf(parts, report, act) }).run(undefined, {
          checkpoints: kept.begin(),
          ...(from && { resumeFrom: from }),
        });
        const ended = await Promise.race([
          died,
          run.finished.catch((error: unknown) => (error as RunFailedError).summary),
        ]);
        expect(reported.started.filter((line) => !log.includes(line))).toEqual([]);
        const others = log.filter(
          (line) =>
            !reported.started.includes(line) &&
            ![perhaps, reported.beside].some((names) => names.has(line.slice(0, 2))),
        );
        expect(others).toEqual([]);
        if (ended === 'died') {
          expect(reported.outcome).toBe('died');
          dead.push(run);
          continue;
        }
        const { outcome: was, tasks } = ended;
        expect(was).toBe(reported.outcome);
        for (const { name } of parts) {
          const status = tasks[name]?.status;
          const expected = reported.statuses.get(name);
          if (expected === 'skipped') seen.skipped++;
          expect([name, status === 'not-started' ? 'failed' : status]).toEqual([name, expected]);
        }
      }
      expect(kept.last?.isComplete).toBe(true);
      for (const run of dead) run.cancel();
      await Promise.all(dead.map((run) => run.finished.catch(() => undefined)));
    }),
    { numRuns: isLong ? 2000 : 150 },
  );
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(10);
}, 120_000);
