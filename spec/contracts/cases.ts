/**
 * What every kind of task promises, as checks that throw where one does not keep it. `contract.spec.ts` puts every
 * check to every subject, and to a broken twin that must fail it.
 */
import { strict as assert } from 'node:assert';
import { expect } from '@jest/globals';
import {
  asyncTask,
  sourceTask,
  Workflow,
  type RunOptions,
  type RunSummary,
  type TaskDeclaration,
  type TaskOptions,
} from 'millrace';
import { fakeUpstream, recordingDeadLetters, virtualClock } from 'millrace/testing';
import { isLong } from '../support/long.js';
import { runToEnd, type Ended } from '../support/run-to-end.js';
import type { Bad, Subject } from './subjects.js';
import type { Numbered } from './works.js';

export interface Case {
  readonly name: string;
  readonly check: (subject: Subject) => Promise<void>;
  /** Default: all. */
  readonly isFor?: (subject: Subject) => boolean;
}

export const numbered = (values: readonly unknown[]): Numbered[] => values.map((value, n) => ({ n, value }));
const count = (length: number): Numbered[] => numbered(Array.from({ length }, (_, n) => n));

interface Asked {
  readonly bad?: Bad;
  readonly options?: TaskOptions<Numbered, Numbered>;
  readonly run?: RunOptions;
}

function graphOf(subject: Subject, source: () => Iterable<Numbered>, asked: Asked = {}): TaskDeclaration[] {
  return subject.graph(() => sourceTask(source), asked.bad ?? 'none', asked.options ?? {});
}

async function through(subject: Subject, records: readonly Numbered[], asked: Asked = {}): Promise<Ended> {
  return runToEnd(
    graphOf(subject, () => records, asked),
    { ...subject.run, ...asked.run },
  );
}

/** What came out of 'T', by the number of the record. */
function outputsOf({ outputs }: Ended): Numbered[] {
  return ([...(outputs['T'] ?? [])] as Numbered[]).sort((a, b) => a.n - b.n);
}

async function passesAll(subject: Subject, records: readonly Numbered[], run: RunOptions = {}): Promise<void> {
  const ended = await through(subject, records, { run });
  expect(outputsOf(ended)).toEqual(records);
  assert.equal(ended.summary.outcome, 'completed');
}

const counts: Case[] = [0, 1, 2, 1000].map((length) => ({
  name: `passes ${length} records on, each once`,
  check: (subject) => passesAll(subject, count(length)),
}));

const falsy: Case = {
  name: 'keeps falsy records',
  check: async (subject) => {
    const values = subject.isJson === true ? [0, '', false, null] : [0, -0, '', false, null, NaN, undefined, 0n];
    const ended = await through(subject, numbered(values));
    const got = outputsOf(ended).map(({ value }) => value);
    assert.equal(got.length, values.length);
    values.forEach((value, index) => {
      assert.ok(Object.is(got[index], value), `${String(got[index])} came for ${String(value)}`);
    });
  },
};

const failures: Case[] = (
  [
    ['the first', 0],
    ['one in the middle', 50],
    ['the last', 99],
  ] as const
).map(([which, bad]) => ({
  name: `gives up ${which} record, and no other, where its function throws there, also undefined`,
  isFor: ({ canBlame }) => canBlame,
  check: async (subject) => {
    const deadLetters = recordingDeadLetters();
    const ended = await through(subject, count(100), { bad, run: { deadLetters } });
    expect(outputsOf(ended)).toEqual(count(100).filter(({ n }) => n !== bad));
    const [letter, another] = deadLetters.letters;
    assert.equal(another, undefined);
    assert.equal(letter?.task, 'T');
    assert.match(letter.message, /undefined/);
    assert.equal(ended.summary.outcome, 'completed');
  },
}));

const fatal: Case = {
  name: 'ends the run at the first failure where it is asked to, or cannot know whose it was',
  check: async (subject) => {
    const options = subject.canBlame ? ({ onFailure: 'fail' } as const) : {};
    await assert.rejects(through(subject, count(100), { bad: 'all', options }), { code: 'MILLRACE_TASK' });
  },
  // A writer takes runs of records: what fails there is its own write.
  isFor: ({ name }) => name !== 'sinkTask of a writer',
};

const cancelled: Case = {
  name: 'stops where the run is cancelled in the middle of an endless input',
  check: async (subject) => {
    const controller = new AbortController();
    let drawn = 0;
    const endless = function* (): Generator<Numbered> {
      for (let n = 0; ; n++) {
        if (drawn++ === 200) controller.abort();
        yield { n, value: n };
      }
    };
    const { summary } = await runToEnd(graphOf(subject, endless), {
      ...subject.run,
      signal: controller.signal,
      window: 32,
    });
    assert.equal(summary.outcome, 'cancelled');
    const after = drawn;
    await turns(5);
    assert.equal(drawn, after);
  },
};

const endless: Case = {
  name: 'drains, or is cancelled, at the time it is asked to, where its input is endless and time is virtual',
  // Threads live in real time, and a collection of an endless input has no end.
  isFor: ({ run, letsGo }) => letsGo !== true && (run?.threads ?? 0) === 0,
  check: async (subject) => {
    for (const end of ['drain', 'cancel'] as const) {
      const { summary, atMs, drawn } = await endedAt(10, end, subject);
      assert.equal(summary.outcome, end === 'drain' ? 'drained' : 'cancelled');
      // A window full of requests, each answered after a millisecond, is still let settle.
      assert.ok(atMs >= 10 && atMs < 100, `it was over at ${atMs} ms`);
      assert.ok(drawn > 0);
      if (end === 'drain') assert.equal(summary.tasks['T']?.out, drawn);
    }
  },
};

/** What a run of an endless input came to that was ended at this time of its clock. */
async function endedAt(
  ms: number,
  end: 'drain' | 'cancel',
  subject: Subject,
): Promise<{ readonly summary: RunSummary; readonly atMs: number; readonly drawn: number }> {
  let drawn = 0;
  const endlessly = function* (): Generator<Numbered> {
    for (let n = 0; ; n++) {
      drawn++;
      yield { n, value: n };
    }
  };
  const clock = virtualClock();
  const run = new Workflow({ name: 'endless', tasks: () => graphOf(subject, endlessly) }).run(undefined, {
    ...subject.run,
    clock,
    upstream: fakeUpstream(clock, ({ body }) => ({ body, afterMs: 1 })),
  });
  clock.schedule(ms, () => {
    run[end]();
  });
  const summary = await clock.runUntil(run.finished);
  return { summary, atMs: clock.monotonicMs(), drawn };
}

const credit: Case = {
  name: 'is given no more than the window while nothing settles',
  isFor: ({ letsGo }) => letsGo !== true,
  check: async (subject) => {
    const window = 8;
    let drawn = 0;
    const endless = function* (): Generator<Numbered> {
      for (let n = 0; ; n++) {
        drawn++;
        yield { n, value: n };
      }
    };
    const controller = new AbortController();
    const never = new Promise<never>(() => undefined);
    const graph = [
      ...graphOf(subject, endless),
      { name: 'Never', dependencies: ['T'], task: asyncTask(() => never) },
    ] as TaskDeclaration[];
    const running = runToEnd(graph, { ...subject.run, signal: controller.signal, window });
    await settled(() => drawn);
    controller.abort();
    await running;
    // One root a source or boundary; the deepest subject has four.
    assert.ok(drawn > 0 && drawn <= window * 4, `${drawn} records were drawn with a window of ${window}`);
  },
};

const stack: Case = {
  name: 'takes a long input without growing the stack',
  check: async (subject) => {
    const records = Math.min(subject.mostRecords ?? Infinity, LONG);
    const { summary } = await runToEnd(
      graphOf(subject, () => long(records)),
      { ...subject.run, window: 64 },
    );
    assert.equal(summary.tasks['T']?.out, records);
  },
};

const released: Case = {
  name: 'leaves no timer, thread or handle behind',
  check: async (subject) => {
    const before = kept();
    await passesAll(subject, count(20));
    await waitFor(() => kept() <= before, `${process.getActiveResourcesInfo().join(', ')} are left`);
  },
};

export const CASES: readonly Case[] = [
  ...counts,
  falsy,
  ...failures,
  fatal,
  cancelled,
  endless,
  credit,
  stack,
  released,
];

/** A stack holds some ten thousand calls. */
const LONG = isLong ? 100_000 : 12_000;

function* long(records: number): Generator<Numbered> {
  for (let n = 0; n < records; n++) yield { n, value: n };
}

/** Timers, workers and ports. Sockets of keep-alive connections are the agent's, which closes them in its own time. */
function kept(): number {
  const names = ['Timeout', 'Immediate', 'Worker', 'MessagePort', 'FSReqCallback'];
  return process.getActiveResourcesInfo().filter((name) => names.includes(name)).length;
}

async function turns(times: number): Promise<void> {
  for (let i = 0; i < times; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits until a figure that has begun to grow has stood still for many turns. */
async function settled(figure: () => number): Promise<void> {
  for (let still = 0, last = figure(); last === 0 || still < 300; still = figure() === last ? still + 1 : 0) {
    last = figure();
    await turns(1);
  }
}

async function waitFor(holds: () => boolean, message: string): Promise<void> {
  for (let i = 0; i < 200 && !holds(); i++) await turns(5);
  assert.ok(holds(), message);
}
