import { describe, expect, it } from '@jest/globals';
import axios from 'axios';
import { defineWorkflow, sourceTask, type RunSummary } from 'millrace';
import { requestTask, type RequestOptions } from 'millrace/http';
import {
  fakeUpstream,
  recordingDeadLetters,
  recordingSink,
  virtualClock,
  type FakeCall,
  type FakeReply,
  type FakeUpstream,
} from 'millrace/testing';

interface Asked {
  readonly upstream: FakeUpstream;
  readonly outputs: readonly unknown[];
  readonly codes: readonly string[];
  readonly messages: readonly string[];
  readonly summary: RunSummary;
  readonly elapsedMs: number;
}

async function ask(
  records: readonly unknown[],
  answer: (call: FakeCall) => FakeReply | Promise<FakeReply>,
  options: Partial<RequestOptions<unknown, unknown>> = {},
): Promise<Asked> {
  const clock = virtualClock();
  const upstream = fakeUpstream(clock, answer);
  const sink = recordingSink<unknown>();
  const deadLetters = recordingDeadLetters();
  const run = defineWorkflow({
    name: 'Asking',
    build: (flow) =>
      flow
        .task('Read', sourceTask(records))
        .task('Ask', ['Read'], requestTask({ url: 'http://model.test/v1/ask?deep=1', ...options }))
        .task('Keep', ['Ask'], sink.task),
  }).run(undefined, { clock, upstream, deadLetters, seed: 1 });
  const summary = await clock.runUntil(run.finished);
  expect([upstream.inFlight, clock.pending]).toEqual([0, 0]);
  return {
    upstream,
    outputs: sink.records,
    codes: deadLetters.letters.map(({ code }) => code),
    messages: deadLetters.letters.map(({ message }) => message),
    summary,
    elapsedMs: clock.monotonicMs(),
  };
}

const socket = { url: 'ws://model.test/rpc', method: 'model.ask' } as const;

describe.each([
  ['HTTP', {}],
  ['WebSocket', socket],
])('a fake upstream over %s', (_, transport: Partial<RequestOptions<unknown, unknown>>) => {
  it('answers the requests of a workflow that knows nothing of it, in virtual time', async () => {
    const { outputs, elapsedMs } = await ask([1, 2], ({ body }) => ({ body: { of: body }, afterMs: 3_600_000 }), {
      ...transport,
      timeoutMs: 4_000_000,
    });
    expect([outputs, elapsedMs]).toEqual([[{ of: 1 }, { of: 2 }], 3_600_000]);
  });

  it('counts the attempts of a record where no key says which it is, and those that cost it none', async () => {
    const { upstream, outputs } = await ask(
      ['a'],
      ({ attempt }) => (attempt < 3 ? { status: 429 } : attempt < 5 ? { status: 503 } : { body: attempt }),
      { ...transport, idempotencyKey: false },
    );
    expect([outputs, upstream.calls.map(({ attempt }) => attempt)]).toEqual([[5], [1, 2, 3, 4, 5]]);
  });

  it('counts the attempts of a record, which carry one key', async () => {
    const { upstream, outputs } = await ask(
      ['a', 'b'],
      ({ attempt }) => (attempt < 3 ? { status: 503 } : { body: attempt }),
      transport,
    );
    expect(outputs).toEqual([3, 3]);
    expect(upstream.calls.map(({ body, attempt }) => `${String(body)}${attempt}`).sort()).toEqual([
      'a1',
      'a2',
      'a3',
      'b1',
      'b2',
      'b3',
    ]);
    expect(new Set(upstream.calls.map(({ key }) => key)).size).toBe(2);
  });

  it('waits as long as the upstream asks for', async () => {
    const { elapsedMs } = await ask(
      ['a'],
      ({ attempt }) => (attempt === 1 ? { status: 429, headers: { 'retry-after': '40' } } : {}),
      transport,
    );
    expect(elapsedMs).toBeGreaterThanOrEqual(40_000);
  });

  it('resets connections and leaves calls without an answer, which are made again', async () => {
    const { outputs, upstream } = await ask(
      ['a'],
      ({ attempt }) =>
        attempt === 1 ? { instead: 'reset' } : attempt === 2 ? { instead: 'never' } : { body: 'at last' },
      { ...transport, timeoutMs: 500 },
    );
    expect([outputs, upstream.calls.length]).toEqual([['at last'], 3]);
  });

  it('lets a record go that the upstream refuses, with the reason', async () => {
    const { codes, messages } = await ask(['a'], () => ({ status: 422, body: 'no such member' }), transport);
    expect(codes).toEqual([transport.url === undefined ? 'MILLRACE_HTTP_STATUS' : 'MILLRACE_RPC']);
    expect(messages[0]).toContain('no such member');
  });

  it('gives answers that are too large or cannot be read to the task as a network would', async () => {
    const limits = { ...transport, retry: false, maxResponseBytes: 10 } as const;
    const large = await ask(['a'], () => ({ body: 'x'.repeat(20) }), limits);
    const garbage = await ask(['a'], () => ({ text: '<html>' }), { ...transport, retry: false });
    expect([...large.codes, ...garbage.codes]).toEqual(['MILLRACE_RESPONSE_LIMIT', 'MILLRACE_BAD_RESPONSE']);
  });

  it('keeps the limits of the task', async () => {
    const { upstream, elapsedMs } = await ask([...Array(20).keys()], () => ({ afterMs: 1000 }), {
      ...transport,
      concurrency: 4,
    });
    expect([upstream.peak, elapsedMs]).toEqual([4, 5000]);
  });

  it.each([
    ['throws', () => Promise.reject(new TypeError('this test is wrong')), 'this test is wrong'],
    ['gives nothing', () => undefined, 'Expected the options of a reply to be an object, got undefined'],
    ['misspells', () => ({ afterMS: 500 }), 'A reply has no option `afterMS`. Did you mean `afterMs`?'],
    ['gives a wrong value', () => ({ status: '200' }), 'Expected `status` of a reply to be a number from 100 to 999'],
    [
      'gives a body that JSON cannot write',
      () => ({ body: 1n }),
      'Expected `body` of a reply to be what JSON can write',
    ],
  ])('fails the run where the test itself is wrong and its answer %s', async (_, wrong: () => unknown, message) => {
    const failed = ask(['a'], wrong as () => FakeReply, transport);
    await expect(failed).rejects.toMatchObject({ code: 'MILLRACE_INVALID_OPTION' });
    await expect(failed).rejects.toThrow(`The fake upstream has no answer to call 1`);
    await expect(failed).rejects.toThrow(message);
  });
});

describe('a call of a fake upstream', () => {
  it('shows what would go over the wire', async () => {
    const { upstream } = await ask([{ id: 7 }], () => ({}), { headers: { 'X-Team': 'blue' }, method: 'PUT' });
    const [call] = upstream.calls;
    expect(call).toMatchObject({
      task: 'Ask',
      method: 'PUT',
      path: '/v1/ask?deep=1',
      body: { id: 7 },
      attempt: 1,
      number: 1,
    });
    expect(call?.headers).toMatchObject({
      'x-team': 'blue',
      'content-type': 'application/json',
      'idempotency-key': call?.key,
    });
  });

  it('passes the interceptors of an axios instance that the task was given', async () => {
    const client = axios.create();
    client.interceptors.request.use((config) => {
      config.headers.set('authorization', 'Bearer of a test');
      return config;
    });
    const { upstream } = await ask(['a'], () => ({}), { axios: client });
    expect(upstream.calls[0]?.headers['authorization']).toBe('Bearer of a test');
  });

  it('carries a group of records where the task sends them together', async () => {
    const { upstream, outputs } = await ask([1, 2, 3], ({ body }) => ({ body: (body as number[]).map((n) => n * 2) }), {
      batch: { max: 3, waitMs: 5 },
    });
    expect([upstream.calls.map(({ body }) => body), outputs]).toEqual([[[1, 2, 3]], [2, 4, 6]]);
  });
});
