/** A session with a server of this process: what it may send ahead, and how large a message may be. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Server, ServerCredentials, type ServerWritableStream } from '@grpc/grpc-js';
import { Execution } from '#lib/connectors/spark/execution.js';
import { ExecutePlanResponse } from '#lib/connectors/spark/protocol/messages.js';
import { SparkSession } from '#lib/connectors/spark/spark-session.js';
import { contextOfTest } from '#lib/testing/connector-context.js';

type Call = ServerWritableStream<Buffer, ExecutePlanResponse>;

const MEBIBYTE = 1024 * 1024;
const server = new Server();
let remote = '';
let answer: (call: Call) => Promise<void>;

beforeAll(async () => {
  const bytes = { requestSerialize: asItIs, requestDeserialize: asItIs, responseDeserialize: asItIs };
  const method = (name: string, responseStream: boolean) => ({
    path: `/spark.connect.SparkConnectService/${name}`,
    ...{ requestStream: false, responseStream, ...bytes },
    responseSerialize: (value: ExecutePlanResponse) => Buffer.from(ExecutePlanResponse.encode(value)),
  });
  server.addService(
    { ExecutePlan: method('ExecutePlan', true), ReleaseExecute: method('ReleaseExecute', false) },
    {
      ExecutePlan: (call: Call) => void answer(call),
      ReleaseExecute: (_call: unknown, respond: (error: null, value: object) => void) => {
        respond(null, {});
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  remote = `sc://127.0.0.1:${port}`;
});
afterAll(() => {
  server.forceShutdown();
});

const limits = { retryForMs: 0, noProgressMs: 60_000 };
const dataOf = (size: number, id: number): ExecutePlanResponse => ({
  responseId: String(id),
  arrow: { rowCount: 1, data: Buffer.alloc(size) },
});

it('the server is at most a few messages ahead of a reader that pauses', async () => {
  const COUNT = 300;
  let sent = 0;
  answer = async (call) => {
    while (sent < COUNT) {
      const isFree = call.write(dataOf(MEBIBYTE / 4, ++sent));
      if (!isFree) await once(call, 'drain');
    }
    call.write({ responseId: 'last', complete: {} });
    call.end();
  };
  const session = new SparkSession({ remote });
  const execution = new Execution(session, {}, 'It', contextOfTest('Rows'), limits);
  await execution.next();
  for (let before = -1; before !== sent;) {
    before = sent;
    await sleep(200);
  }
  // The messages are 75 MiB.
  expect(sent * (MEBIBYTE / 4)).toBeLessThan(16 * MEBIBYTE);
  let received = 1;
  for (let one = await execution.next(); one !== null; one = await execution.next()) {
    if (one.arrow !== undefined) received++;
  }
  expect({ sent, received }).toEqual({ sent: COUNT, received: COUNT });
  expect(await execution.close()).toBe(true);
  session.disconnect();
});

it('a message may have 32 MiB, because Spark does not divide a value', async () => {
  answer = (call) => {
    call.write(dataOf(32 * MEBIBYTE, 1));
    call.write({ responseId: 'last', complete: {} });
    call.end();
    return Promise.resolve();
  };
  const session = new SparkSession({ remote });
  const execution = new Execution(session, {}, 'It', contextOfTest('Rows'), limits);
  const first = await execution.next();
  expect(first?.arrow?.data?.length).toBe(32 * MEBIBYTE);
  await execution.next();
  await execution.close();
  session.disconnect();
});

function asItIs<T>(value: T): T {
  return value;
}
