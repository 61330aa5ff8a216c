/** What an execution requests, and reports while Spark works, over answers that a case makes. */
import { PassThrough } from 'node:stream';
import { expect, it } from '@jest/globals';
import { virtualClock } from 'millrace/testing';
import { Execution } from '#lib/connectors/spark/execution.js';
import { ErrorInfo, Status, type ExecutePlanResponse } from '#lib/connectors/spark/protocol/messages.js';
import { reportOf } from '#lib/connectors/spark/spark-errors.js';
import type { Answers, SparkSession } from '#lib/connectors/spark/spark-session.js';
import { contextOfTest } from '#lib/testing/connector-context.js';

it('an execution that takes long reports its progress each ten seconds, and only if there is some', async () => {
  const clock = virtualClock();
  const done = (completed: number, second: number) => ({
    second,
    answer: { responseId: String(second), progress: { stages: [{ tasks: 40, completed }, { tasks: 2 }] } },
  });
  const answers = new PassThrough({ objectMode: true });
  for (const { second, answer } of [done(0, 1), done(3, 5), done(9, 12), done(10, 14), done(10, 23), done(10, 40)]) {
    clock.schedule(second * 1000, () => answers.write(answer));
  }
  clock.schedule(50_000, () => answers.write({ responseId: 'last', complete: {} }));
  const session = {
    execute: () => Promise.resolve(Object.assign(answers, { cancel: () => undefined }) as unknown as Answers),
    release: () => Promise.resolve(),
  } as unknown as SparkSession;
  const notices: string[] = [];
  const context = {
    ...{ clock, random: () => 0, signal: new AbortController().signal },
    notice: (text: string) => notices.push(`${clock.monotonicMs() / 1000} s: ${text}`),
  };
  const execution = new Execution(
    session,
    {},
    "The query of 'Rows'",
    { ...contextOfTest('Rows'), ...context },
    {
      ...limits,
      retryForMs: 0,
    },
  );
  const read = async (): Promise<void> => {
    for (let one: ExecutePlanResponse | null = {}; one !== null;) one = await execution.next();
  };
  await clock.runUntil(read());
  expect(notices).toEqual([
    "12 s: The query of 'Rows': 9 of 42 tasks of Spark are done",
    "23 s: The query of 'Rows': 10 of 42 tasks of Spark are done",
  ]);
});

/** A session that answers each request as told, and notes the requests. */
function sessionOf(answers: Readonly<Record<'execute' | 'reattach', readonly (Error | ExecutePlanResponse)[]>>) {
  const requests: string[] = [];
  const left = { execute: [...answers.execute], reattach: [...answers.reattach] };
  const answer = (request: 'execute' | 'reattach') => (): Promise<Answers> => {
    requests.push(request);
    const next = left[request].shift();
    if (next instanceof Error || next === undefined) return Promise.reject(next ?? new Error('No answer is left'));
    const stream = new PassThrough({ objectMode: true });
    stream.write(next);
    return Promise.resolve(Object.assign(stream, { cancel: () => undefined }) as unknown as Answers);
  };
  const note = (request: string) => () => Promise.resolve(void requests.push(request));
  const session = {
    ...{ execute: answer('execute'), reattach: answer('reattach') },
    ...{ release: note('release'), interrupt: note('interrupt') },
  };
  return { requests, session: session as unknown as SparkSession };
}

/** An error of gRPC with an error class of Spark. */
function errorOf(code: number, errorClass?: string): Error {
  const value = ErrorInfo.encode({ metadata: [{ key: 'errorClass', value: errorClass ?? '' }] });
  const details = Buffer.from(
    Status.encode({ details: [{ typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo', value }] }),
  );
  const metadata = { get: () => (errorClass === undefined ? [] : [details]) };
  return Object.assign(new Error(errorClass ?? 'lost'), { code, metadata });
}

const INTERNAL = 13;
const UNAVAILABLE = 14;
const COMPLETE: ExecutePlanResponse = { responseId: 'last', complete: {} };
const limits = { retryForMs: 60_000, noProgressMs: 60_000 };

it('an execution is begun once, also if its first request was lost, and then has arrived after all', async () => {
  const clock = virtualClock();
  const { requests, session } = sessionOf({
    execute: [errorOf(UNAVAILABLE), errorOf(INTERNAL, 'INVALID_HANDLE.OPERATION_ALREADY_EXISTS')],
    reattach: [errorOf(INTERNAL, 'INVALID_HANDLE.OPERATION_NOT_FOUND'), COMPLETE],
  });
  const execution = new Execution(session, {}, 'It', { ...contextOfTest('Rows'), clock, random: () => 0 }, limits);
  expect(await clock.runUntil(execution.next())).toEqual(COMPLETE);
  expect(await execution.next()).toBe(null);
  expect(requests).toEqual(['execute', 'reattach', 'execute', 'reattach']);
});

it('an execution is released after its end, after an error, and after it was cancelled', async () => {
  const ended = sessionOf({ execute: [COMPLETE], reattach: [] });
  const failed = sessionOf({ execute: [errorOf(INTERNAL, 'DIVIDE_BY_ZERO')], reattach: [] });
  const running = sessionOf({ execute: [{ responseId: 'first' }], reattach: [] });
  const outcomes: unknown[] = [];
  for (const { session } of [ended, failed, running]) {
    const execution = new Execution(session, {}, 'It', contextOfTest('Rows'), limits);
    outcomes.push(await execution.next().catch((error: unknown) => reportOf(error).errorClass));
    expect(await execution.close()).toBe(true);
  }
  expect(outcomes).toEqual([COMPLETE, 'DIVIDE_BY_ZERO', { responseId: 'first' }]);
  expect(ended.requests).toEqual(['execute', 'release']);
  // The server may still know an execution that has failed.
  expect(failed.requests).toEqual(['execute', 'interrupt', 'release']);
  expect(running.requests).toEqual(['execute', 'interrupt', 'release']);
});
