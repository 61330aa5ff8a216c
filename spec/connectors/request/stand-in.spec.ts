/** One list of cases, over a real connection and against what stands in for it in tests: both must come to the same. */
import { describe, expect, it } from '@jest/globals';
import axios from 'axios';
import { defineWorkflow, sourceTask, type RunOptions } from 'millrace';
import { requestTask, type RequestOptions } from 'millrace/http';
import { fakeUpstream, recordingDeadLetters, virtualClock, type FakeReply } from 'millrace/testing';
import { answeringServer, type CallSeen } from './support/answering-server.js';

type Options = Partial<RequestOptions<unknown, unknown>>;

interface Case {
  readonly record?: unknown;
  readonly options?: Options;
  /** The nth call of the run, from 1. */
  readonly answer: (call: CallSeen, number: number) => FakeReply;
  /** Outputs and letters together, so that no case passes because nothing came of it. */
  readonly outcome: string;
}

interface Came {
  readonly outcome: string;
  readonly calls: readonly object[];
}

const PATH = '/v1/ask?deep=1';
const HOST = 'http://model.test';

async function come({ record = { id: 7 }, options }: Case, base: string, run: RunOptions): Promise<string> {
  const deadLetters = recordingDeadLetters();
  const outputs: string[] = [];
  const started = defineWorkflow({
    name: 'Asking',
    build: (flow) =>
      flow
        .task('Read', sourceTask([record]))
        .task(
          'Ask',
          ['Read'],
          requestTask({ url: base + PATH, retry: { attempts: 3, baseMs: 1, maxDelayMs: 2 }, ...options }),
        ),
  }).run(undefined, { ...run, deadLetters, runId: 'run-1', seed: 1 });
  started.output$('Ask').subscribe({ next: (output) => outputs.push(JSON.stringify(output)), error: () => undefined });
  const { clock } = run as { clock?: ReturnType<typeof virtualClock> };
  await (clock === undefined ? started.finished : clock.runUntil(started.finished));
  const letters = deadLetters.letters.map(({ code, attempts }) => `${code} after ${attempts}`);
  return [...outputs, ...letters].join(', ');
}

/** What a test may rely on of a call; addresses and connections differ. */
function shown({ method, path, headers, body, key }: CallSeen): object {
  const names = ['authorization', 'content-type', 'x-team', 'idempotency-key', 'x-correlation-id'];
  return { method, path, body, key, headers: Object.fromEntries(names.map((name) => [name, headers[name]])) };
}

async function overTheWire(one: Case, protocol: string): Promise<Came> {
  let number = 0;
  const server = await answeringServer((call) => one.answer(call, ++number));
  try {
    const outcome = await come(one, server.url.replace('http', protocol), {});
    return { outcome, calls: server.calls.map(shown) };
  } finally {
    await server.stop();
  }
}

async function standingIn(one: Case, protocol: string): Promise<Came> {
  const clock = virtualClock();
  const upstream = fakeUpstream(clock, (call) => one.answer(call, call.number));
  const outcome = await come(one, HOST.replace('http', protocol), { clock, upstream });
  return { outcome, calls: upstream.calls.map(shown) };
}

const echo = ({ body }: CallSeen): FakeReply => ({ body });
const alike: Readonly<Record<string, Case>> = {
  'an answer with what JSON writes in another way': {
    answer: () => ({ body: { at: new Date(0), left: undefined, list: [undefined] } }),
    outcome: '{"at":"1970-01-01T00:00:00.000Z","list":[null]}',
  },
  'an answer': { answer: echo, outcome: '{"id":7}' },
  'no answer but a status': { answer: () => ({}), outcome: 'null' },
  'headers of the task': { options: { headers: { 'X-Team': 'blue' } }, answer: echo, outcome: '{"id":7}' },
  'a failure that passes': {
    answer: (call, number) => (number < 3 ? { status: 503, body: 'busy' } : echo(call)),
    outcome: '{"id":7}',
  },
  'a lost connection': {
    answer: (call, number) => (number < 2 ? { instead: 'reset' } : echo(call)),
    outcome: '{"id":7}',
  },
  'an answer as large as allowed': {
    options: { maxResponseBytes: 100, retry: false },
    answer: () => ({ body: 'a'.repeat(50) }),
    outcome: JSON.stringify('a'.repeat(50)),
  },
  'an answer larger than allowed, in bytes though not in characters': {
    options: { maxResponseBytes: 100, retry: false },
    answer: () => ({ body: 'ä'.repeat(60) }),
    outcome: 'MILLRACE_RESPONSE_LIMIT after 1',
  },
  'an answer that is no JSON': {
    options: { retry: false },
    answer: () => ({ text: '<html>' }),
    outcome: 'MILLRACE_BAD_RESPONSE after 1',
  },
  'a body that JSON cannot write': {
    record: { id: 7n },
    answer: echo,
    outcome: 'MILLRACE_TASK after 1',
  },
};

const overHttp: Readonly<Record<string, Case>> = {
  ...alike,
  'no answer but a status': { options: { retry: false }, answer: () => ({}), outcome: 'MILLRACE_BAD_RESPONSE after 1' },
  'no answer but a status that says so': { answer: () => ({ status: 204 }), outcome: '""' },
  'a refusal': { answer: () => ({ status: 422, body: 'no' }), outcome: 'MILLRACE_HTTP_STATUS after 1' },
  'a wait that is asked for, whatever the case of the header': {
    answer: (call, number) => (number < 2 ? { status: 429, headers: { 'Retry-After': '0.05' } } : echo(call)),
    outcome: '{"id":7}',
  },
  'parameters and credentials of an axios instance': {
    options: { axios: axios.create({ params: { key: 'k' }, auth: { username: 'u', password: 'p' } }) },
    answer: ({ path, headers }) => ({ body: [path, headers['authorization']] }),
    outcome: '["/v1/ask?deep=1&key=k","Basic dTpw"]',
  },
  'a redirect of a POST, which becomes a GET': {
    answer: ({ method, path, body }, number) =>
      number < 2 ? { status: 302, headers: { Location: '/there' } } : { body: [method, path, body] },
    outcome: '["GET","/there",null]',
  },
  'a redirect that keeps method and body': {
    answer: ({ method, path, body }, number) =>
      number < 2 ? { status: 307, headers: { location: '/there' } } : { body: [method, path, body] },
    outcome: '["POST","/there",{"id":7}]',
  },
  'redirects without end': {
    options: { maxRedirects: 3, retry: false },
    answer: () => ({ status: 307, headers: { location: '/there' } }),
    outcome: 'MILLRACE_NETWORK after 1',
  },
  'a redirect that is not to be followed': {
    options: { maxRedirects: 0, retry: false },
    answer: () => ({ status: 302, headers: { location: '/there' } }),
    outcome: 'MILLRACE_HTTP_STATUS after 1',
  },
};

const overSockets: Readonly<Record<string, Case>> = {
  ...alike,
  'a refusal': { answer: () => ({ status: 422, body: 'no' }), outcome: 'MILLRACE_RPC after 1' },
  'a wait that is asked for, whatever the case of the header': {
    answer: (call, number) => (number < 2 ? { status: 429, headers: { 'Retry-After': '0.05' } } : echo(call)),
    outcome: '{"id":7}',
  },
  'an answer that is too large with what is around it': {
    options: { maxResponseBytes: 100, retry: false },
    answer: () => ({ body: 'a'.repeat(90) }),
    outcome: 'MILLRACE_RESPONSE_LIMIT after 1',
  },
  'nothing that could be sent': {
    options: { body: () => undefined },
    answer: echo,
    outcome: 'MILLRACE_TASK after 1',
  },
};

describe('what stands in for HTTP comes to the same as a server', () => {
  it.each(Object.entries(overHttp))('%s', async (_, one) => {
    const real = await overTheWire(one, 'http');
    expect(real.outcome).toBe(one.outcome);
    expect(await standingIn(one, 'http')).toEqual(real);
  });
});

describe('what stands in for a WebSocket comes to the same as a server', () => {
  it.each(Object.entries(overSockets))('%s', async (_, { options, ...rest }) => {
    const one = { ...rest, options: { ...options, method: 'model.ask' } };
    const real = await overTheWire(one, 'ws');
    expect(real.outcome).toBe(one.outcome);
    // A connection has headers of its own.
    const bodies = ({ calls }: Came): unknown[] => calls.map((call) => ({ ...call, headers: undefined }));
    const stood = await standingIn(one, 'ws');
    expect([stood.outcome, bodies(stood)]).toEqual([real.outcome, bodies(real)]);
  });
});

describe('what stands in for a connection', () => {
  it.each([
    ['HTTP', 'http', {}],
    ['a WebSocket', 'ws', { method: 'model.ask' }],
  ])('waits as long as a header of any case asks for, over %s', async (_, protocol, options) => {
    const clock = virtualClock();
    const upstream = fakeUpstream(clock, ({ attempt }) =>
      attempt < 2 ? { status: 429, headers: { 'RETRY-AFTER': '60' } } : { body: 1 },
    );
    await come({ options, answer: echo, outcome: '' }, HOST.replace('http', protocol), { clock, upstream });
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(60_000);
  });

  it("keeps the timeout of somebody's axios instance in the time of the run", async () => {
    const clock = virtualClock();
    const upstream = fakeUpstream(clock, () => ({ instead: 'never' }));
    const options = { axios: axios.create({ timeout: 3_600_000 }), timeoutMs: 4_000_000, retry: false } as const;
    const outcome = await come({ options, answer: echo, outcome: '' }, HOST, { clock, upstream });
    expect([outcome, clock.monotonicMs(), clock.pending]).toEqual(['MILLRACE_NETWORK after 1', 3_600_000, 0]);
  });
});
