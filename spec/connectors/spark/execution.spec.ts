/** What an execution reports while Spark works, over answers that a case makes. */
import { PassThrough } from 'node:stream';
import { expect, it } from '@jest/globals';
import { virtualClock } from 'millrace/testing';
import { Execution } from '#lib/connectors/spark/execution.js';
import type { ExecutePlanResponse } from '#lib/connectors/spark/protocol/messages.js';
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
  const limits = { retryForMs: 0, noProgressMs: 60_000 };
  const execution = new Execution(session, {}, "The query of 'Rows'", { ...contextOfTest('Rows'), ...context }, limits);
  const read = async (): Promise<void> => {
    for (let one: ExecutePlanResponse | null = {}; one !== null;) one = await execution.next();
  };
  await clock.runUntil(read());
  expect(notices).toEqual([
    "12 s: The query of 'Rows': 9 of 42 tasks of Spark are done",
    "23 s: The query of 'Rows': 10 of 42 tasks of Spark are done",
  ]);
});
