/** What an asynchronous function may return, and what a run counts of records that are in work when it ends. */
import { describe, expect, it } from '@jest/globals';
import { asyncTask, defineWorkflow, skip, sourceTask } from 'millrace';
import { recordingDeadLetters, recordingSink } from 'millrace/testing';

type Then = PromiseLike<string>['then'];

class Subclass<T> extends Promise<T> {}

const thenable = (act: (resolve: (value: string) => void, reject: (reason: unknown) => void) => void): unknown => ({
  then: ((resolve: (value: string) => void, reject: (reason: unknown) => void) => {
    act(resolve, reject);
  }) as unknown as Then,
});

const RETURNS: Readonly<Record<string, () => unknown>> = {
  value: () => 'a value',
  promise: () => Promise.resolve('a promise'),
  subclass: () => Subclass.resolve('a subclass'),
  'now and again': () =>
    thenable((resolve) => {
      resolve('the first answer');
      resolve('the second answer');
    }),
  'both answers': () =>
    thenable((resolve, reject) => {
      resolve('the answer before an error');
      reject(new Error('too late'));
    }),
  'throws after the answer': () =>
    thenable((resolve) => {
      resolve('the answer before a throw');
      throw new Error('too late');
    }),
  'own then': () =>
    Object.assign(Promise.resolve('the answer of the promise'), {
      then: () => {
        throw new Error('called');
      },
    }),
  nested: () =>
    thenable((resolve) => {
      resolve(Promise.resolve('inside') as never);
    }),
  skip: () => Promise.resolve(skip('not needed')),
};
const FAILS: Readonly<Record<string, () => unknown>> = {
  'throwing then': () =>
    thenable(() => {
      throw new Error('then throws');
    }),
  throwing: () => {
    throw new Error('throws');
  },
  rejecting: () => Promise.reject(new Error('rejects')),
  'unreadable result': () =>
    Promise.resolve(
      new Proxy(
        {},
        {
          get: (_, name) => {
            if (name === 'then') return undefined;
            throw new Error('unreadable');
          },
        },
      ),
    ),
};

/** The outputs and the messages of the letters for these records, of which each is the name of a case. */
async function outcomes(names: readonly string[]): Promise<{ outputs: unknown[]; messages: string[] }> {
  const sink = recordingSink<unknown>();
  const deadLetters = recordingDeadLetters();
  const all = { ...RETURNS, ...FAILS };
  const run = defineWorkflow({
    name: 'Returns',
    build: (flow) =>
      flow
        .task('Names', sourceTask(names))
        .task(
          'Work',
          ['Names'],
          asyncTask((name: string) => all[name]?.() as Promise<unknown>, { ordered: true }),
        )
        .task('Keep', ['Work'], sink.task),
  }).run(undefined, { deadLetters });
  await run.finished;
  expect(run.counts['Work']).toMatchObject({ in: names.length, inFlight: 0 });
  return { outputs: [...sink.records], messages: deadLetters.letters.map(({ message }) => message) };
}

describe('the function of an asyncTask', () => {
  it('may return a value, a promise, or anything with `then`, whose first answer counts', async () => {
    expect(await outcomes(Object.keys(RETURNS))).toEqual({
      outputs: [
        'a value',
        'a promise',
        'a subclass',
        'the first answer',
        'the answer before an error',
        'the answer before a throw',
        'the answer of the promise',
        'inside',
      ],
      messages: [],
    });
  });

  it('that fails costs its record only, however it fails', async () => {
    const { outputs, messages } = await outcomes([...Object.keys(FAILS), 'value']);
    expect(outputs).toEqual(['a value']);
    expect([...messages].sort()).toEqual(['rejects', 'then throws', 'throws', 'unreadable']);
  });

  it('counts the records in work as in flight after a run was cancelled', async () => {
    const abort = new AbortController();
    const waits: (() => void)[] = [];
    const run = defineWorkflow({
      name: 'Cancelled',
      build: (flow) =>
        flow.task('Numbers', sourceTask([1, 2, 3])).task(
          'Wait',
          ['Numbers'],
          asyncTask(
            () =>
              new Promise<void>((resolve) => {
                waits.push(resolve);
                if (waits.length === 3) abort.abort();
              }),
          ),
        ),
    }).run(undefined, { signal: abort.signal });
    const { outcome } = await run.finished;
    for (const end of waits) end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(outcome).toBe('cancelled');
    expect(run.counts['Wait']).toMatchObject({ in: 3, out: 0, inFlight: 3 });
  });
});
