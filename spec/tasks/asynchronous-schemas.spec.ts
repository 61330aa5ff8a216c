/**
 * Schemas whose validation returns a promise: where a task can wait they are waited for, elsewhere they are refused.
 */
import { describe, expect, it } from '@jest/globals';
import {
  asyncTask,
  seededRandom,
  sinkTask,
  sourceTask,
  syncTask,
  type DeadLetter,
  type RunSummary,
  Workflow,
  type Task,
} from 'millrace';
import { connectorSink } from 'millrace/connect';
import { recordingDeadLetters } from 'millrace/testing';

/** The most records that were validated at a time, and how often it was asked. */
interface Watched {
  running: number;
  most: number;
  asked: number;
}

/** Ends in a random order. Refuses multiples of seven; a schema of zod with a late check is as this. */
function late(watched: Watched = { running: 0, most: 0, asked: 0 }): never {
  const random = seededRandom(7);
  return {
    '~standard': {
      version: 1,
      vendor: 'spec',
      validate: async (value: number) => {
        watched.asked++;
        watched.most = Math.max(watched.most, ++watched.running);
        for (let turns = Math.floor(random() * 4); turns > 0; turns--) await new Promise(setImmediate);
        watched.running--;
        return value % 7 === 0 ? { issues: [{ message: 'a multiple of seven' }] } : { value };
      },
    },
  } as never;
}

interface Ended {
  readonly summary: RunSummary;
  readonly letters: readonly DeadLetter[];
}

async function run(tasks: readonly Task<never, unknown>[], window = 16): Promise<Ended> {
  const deadLetters = recordingDeadLetters();
  const summary = await new Workflow({
    name: 'Late',
    tasks: () =>
      tasks.map((task, index) => ({ name: `T${index}`, dependencies: index === 0 ? [] : [`T${index - 1}`], task })),
  }).run(undefined, { deadLetters, window, threads: 0 }).finished;
  return { summary, letters: deadLetters.letters };
}

const numbers = Array.from({ length: 100 }, (_, index) => index + 1);
const good = numbers.filter((number) => number % 7 > 0);
const bad = numbers.filter((number) => number % 7 === 0);
const into = (seen: number[]): Task<number, number> => sinkTask((number: number) => void seen.push(number));

function expectOnlyBad({ summary, letters }: Ended): void {
  expect(summary.outcome).toBe('completed');
  expect(letters.map(({ record }) => record).sort((a, b) => Number(a) - Number(b))).toEqual(bad);
  expect(letters[0]?.message).toContain('a multiple of seven');
}

describe('an asynchronous schema', () => {
  it('of a source is waited for, in order, for at most a window of records', async () => {
    const seen: number[] = [];
    const watched = { running: 0, most: 0, asked: 0 };
    expectOnlyBad(await run([sourceTask(numbers, { output: late(watched) }), into(seen)], 16));
    expect(seen).toEqual(good);
    expect(watched.most).toBeLessThanOrEqual(16);
    expect(watched.asked).toBe(100);
  });

  it.each(['input', 'output'] as const)('of an asyncTask is waited for, as its %s', async (name) => {
    const seen: number[] = [];
    const watched = { running: 0, most: 0, asked: 0 };
    const task = asyncTask((number: number) => Promise.resolve(number), {
      [name]: late(watched),
      ordered: true,
      concurrency: 4,
    });
    expectOnlyBad(await run([sourceTask(numbers), task, into(seen)]));
    expect(seen).toEqual(good);
    expect(watched.most).toBeLessThanOrEqual(4);
  });

  it('of an asyncTask with retries is waited for', async () => {
    const seen: number[] = [];
    const task = asyncTask((number: number) => Promise.resolve(number), { input: late(), retry: { attempts: 3 } });
    expectOnlyBad(await run([sourceTask(numbers), task, into(seen)]));
    expect(seen.sort((a, b) => a - b)).toEqual(good);
  });

  it('of a sink with a function is waited for', async () => {
    const seen: number[] = [];
    expectOnlyBad(
      await run([sourceTask(numbers), sinkTask((number: number) => void seen.push(number), { input: late() })]),
    );
    expect(seen.sort((a, b) => a - b)).toEqual(good);
  });

  it('of a sink with a writer, or of a connector, is waited for before each write, in order', async () => {
    const written: number[] = [];
    const write = (rows: readonly number[]): void => void written.push(...rows);
    expectOnlyBad(await run([sourceTask(numbers), sinkTask({ write }, { input: late() })]));
    expect(written.splice(0)).toEqual(good);
    const sink = {
      open: () => undefined,
      write: ({ rows }: { readonly rows: readonly number[] }): void => {
        write(rows);
      },
    };
    expectOnlyBad(await run([sourceTask(numbers), connectorSink<number>(sink, { input: late() })]));
    expect(written).toEqual(good);
  });

  it('of a sink lets a fallback be written in the place of the record', async () => {
    const written: number[] = [];
    const write = (rows: readonly number[]): void => void written.push(...rows);
    const onFailure = { fallback: (number: unknown) => -Number(number) - 1 };
    const { summary } = await run([sourceTask(numbers), sinkTask({ write }, { input: late(), onFailure })]);
    expect(summary.outcome).toBe('completed');
    expect(written).toEqual(numbers.map((number) => (number % 7 === 0 ? -number - 1 : number)));
  });

  it('of a task that cannot wait is refused before the first record, with what to do', async () => {
    const seen: number[] = [];
    const task = syncTask((number: number) => number, { input: late() });
    await expect(run([sourceTask(numbers), task, into(seen)])).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_OPTION',
      message:
        "The schema of the input of 'T1' is asynchronous, but is used in code that cannot wait. Use a synchronous schema, or give it to a task that can wait: `output` of a source, `input` of a sink, or `input` and `output` of an asyncTask or a requestTask",
    });
    expect(seen).toEqual([]);
  });
});
