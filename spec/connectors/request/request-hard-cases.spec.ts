/** What is left, sent or waited for where things end, fail or lie in an unlucky moment. */
import { describe, expect, it } from '@jest/globals';
import axios from 'axios';
import { fairBy, sharedLimiter } from '#lib/index.js';
import { requestTask, type RequestOptions } from '#lib/connectors/http/index.js';
import { performanceSummary } from '#lib/observe/performance-summary.js';
import { ask, member, type Member, type Prediction } from './support/ask.js';
import { start, times } from './support/virtual-upstream.js';

describe('a run that fails in the middle', () => {
  it('leaves no timer of younger attempts when an older one times out', async () => {
    const { clock, finished, upstream } = start(times(3), (record) => ({ afterMs: record === 0 ? 30 : 1e6 }), {
      concurrency: 2,
      timeoutMs: 100,
      retry: false,
      onFailure: 'fail',
    });
    const failed = finished.catch((error: unknown) => error);
    // Record 1 has been under way from 0 ms, record 2 from 30 ms.
    await clock.advance(110);
    expect(await failed).toMatchObject({ cause: { cause: { code: 'MILLRACE_TIMEOUT' } } });
    expect([upstream.inFlight, clock.pending]).toEqual([0, 0]);
  });

  it('sends nothing of what was to start beside the record that made it fail', async () => {
    const { clock, calls, finished } = start(times(20), () => ({ afterMs: 5 }), {
      onFailure: 'fail',
      body: (record) => {
        if (record === 3) throw new Error('no body');
        return record;
      },
    });
    const failed = finished.catch((error: unknown) => error);
    await clock.advance(10);
    expect(await failed).toMatchObject({ message: expect.stringContaining('no body') });
    expect(calls.map(({ record }) => record)).toEqual([0, 1, 2]);
  });

  it('gives each slot of a shared limiter back once', async () => {
    const limiter = sharedLimiter('ats', { concurrency: 2 });
    const { clock, finished } = start(times(50), () => ({ status: 429, afterMs: 10 }), {
      limiter,
      breaker: { deadlineMs: 1000 },
    });
    const failed = finished.catch((error: unknown) => error);
    await clock.advance(60_000);
    expect(await failed).toMatchObject({ code: 'MILLRACE_UPSTREAM_DOWN' });
    expect([limiter.inFlight, clock.pending]).toEqual([0, 0]);
  });
});

describe('a run that is cancelled by whoever watches it', () => {
  it.each(['retry', 'circuit', 'throttled'] as const)('leaves nothing when a %s is reported', async (type) => {
    const limiter = sharedLimiter('ats', { concurrency: 8 });
    const started = start(times(40), () => ({ status: type === 'throttled' ? 429 : 503, afterMs: 5 }), {
      limiter,
      breaker: { failures: 6 },
      recordTimeoutMs: 50_000,
    });
    let reported = 0;
    started.run.events$.subscribe((event) => {
      if (event.type === type && reported++ === 0) started.cancel();
    });
    await started.clock.advance(1000);
    expect((await started.finished).outcome).toBe('cancelled');
    expect(reported).toBeGreaterThan(0);
    expect([started.upstream.inFlight, limiter.inFlight, started.clock.pending]).toEqual([0, 0, 0]);
  });
});

describe('an upstream that asks for too long a wait', () => {
  it.each([[429], [503]])('cannot hold the run beyond the deadline, status %i', async (status) => {
    const { clock, calls, finished } = start(
      times(20),
      (_, call) => (call <= 4 ? { status, headers: { 'retry-after': '31536000' } } : {}),
      { concurrency: 4, retry: { budgetMs: 10_000, attempts: 3 }, breaker: { deadlineMs: 60_000 } },
    );
    await clock.advance(300_000);
    const { outcome, tasks } = await finished;
    expect(outcome).toBe('completed');
    expect((tasks['Ask']?.out ?? 0) + (tasks['Ask']?.deadLettered ?? 0)).toBe(20);
    expect(calls.length).toBeGreaterThanOrEqual(20);
  });

  it('gives up a record that alone is asked to wait for ever', async () => {
    const { clock, finished } = start(
      times(10),
      (record) => (record === 4 ? { status: 429, headers: { 'retry-after': '31536000' } } : {}),
      { concurrency: 4, retry: { budgetMs: 10_000, attempts: 3 } },
    );
    await clock.advance(120_000);
    expect((await finished).tasks['Ask']).toMatchObject({ out: 9, deadLettered: 1 });
  });
});

describe('a half-open circuit', () => {
  it('is judged by its probe, not by what was sent before it opened', async () => {
    // Ten fail at once and open it; the others of the first 20 fail one by one while it asks whether the upstream is
    // back.
    const { clock, events, finished } = start(
      times(30),
      (record, call) =>
        call <= 20 ? { status: 503, afterMs: record < 10 ? 1 : 1002 + 10 * record } : { afterMs: 400 },
      { concurrency: 20, breaker: { failures: 5, pauseMs: 1000, maxPauseMs: 64_000 } },
    );
    await clock.advance(3000);
    const circuit = events.flatMap((event) => (event.type === 'circuit' ? [event.state] : []));
    expect(circuit).toEqual(['open', 'half-open', 'closed']);
    await clock.advance(60_000);
    expect((await finished).tasks['Ask']).toMatchObject({ out: 30, deadLettered: 0 });
  });
});

describe('a hedged call', () => {
  it('frees the slot of a try that failed while the other goes on', async () => {
    const { clock, calls, cancel, finished } = start(
      times(300),
      (record) => {
        if (record !== 200) return { afterMs: record < 200 ? 10 : 19 };
        const isFirst = calls.filter((call) => call.record === 200).length === 1;
        return isFirst ? { afterMs: 60, status: 500 } : { afterMs: 9000 };
      },
      { concurrency: 2, hedge: { samples: 50, minDelayMs: 20 } },
    );
    await clock.advance(4000);
    expect(calls.filter(({ record }) => record === 200)).toHaveLength(2);
    expect(calls.map(({ record }) => record)).toContain(299);
    cancel();
    await finished;
  });

  it.each([['idempotencyKey', { idempotencyKey: false as const }]])(
    'is refused where a call may not be repeated: no %s',
    async (_, options) => {
      const { failure } = await ask({ records: 1, request: { ...options, hedge: true } });
      expect(failure).toMatchObject({ code: 'MILLRACE_INVALID_OPTION' });
      expect(failure?.message).toContain('`hedge`');
    },
  );
});

describe('an `errorOf` of the user', () => {
  it('that throws ends the record it was asked about, and no other', async () => {
    let asked = 0;
    const errorOf = (): undefined => {
      if (++asked === 2) throw new Error('cannot report');
    };
    const { summary, letters } = await ask({ records: 5, request: { batch: { max: 5, errorOf }, retry: false } });
    expect(summary.tasks['Ask']).toMatchObject({ out: 4, deadLettered: 1 });
    expect(letters).toMatchObject([{ message: expect.stringContaining('cannot report') }]);
  });

  it('may say null for nothing', async () => {
    const { summary } = await ask({ records: 5, request: { batch: { max: 5, errorOf: () => null } } });
    expect(summary.tasks['Ask']).toMatchObject({ out: 5 });
  });
});

describe('a body that JSON cannot write', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  it.each([
    ['alone', 'http', {}],
    ['in a batch', 'http', { batch: { max: 5 } }],
    ['over WebSocket', 'ws', {}],
  ] as const)('ends its own record, with what is wrong, without a retry: %s', async (_, transport, options) => {
    let made = 0;
    const { summary, letters, counts } = await ask({
      records: 5,
      transport,
      request: {
        ...options,
        body: (record) => {
          made++;
          return record.id === 2 ? circle : record.id === 3 ? { big: 1n } : record;
        },
      },
    });
    expect(summary.tasks['Ask']).toMatchObject({ out: 3, deadLettered: 2 });
    expect(letters.map(({ code, attempts }) => [code, attempts])).toEqual(Array(2).fill(['MILLRACE_TASK', 1]));
    expect(letters.map(({ message }) => message)).toEqual(
      expect.arrayContaining([expect.stringContaining('BigInt'), expect.stringContaining('circular')]),
    );
    expect(counts.retries).toBe(0);
    // Asked for once a record: it is known before anything is sent.
    expect(made).toBe(5);
  });

  it('is a function or a symbol too, and sends nothing', async () => {
    const { letters, seen } = await ask({ records: 1, request: { body: () => Symbol('s') } });
    expect(letters).toMatchObject([
      { code: 'MILLRACE_TASK', message: expect.stringContaining('JSON cannot represent') },
    ]);
    expect(seen).toHaveLength(0);
  });
});

describe('an axios instance of the user', () => {
  it('whose interceptor cannot refresh its token is no fault of the records', async () => {
    const client = axios.create();
    let asked = 0;
    client.interceptors.request.use((config) => {
      if (++asked <= 3)
        throw new TypeError('fetch failed', { cause: Object.assign(new Error('no'), { code: 'ECONNREFUSED' }) });
      return config;
    });
    const { summary, letters } = await ask({ records: 4, request: { axios: client } });
    expect([summary.tasks['Ask']?.out, letters]).toEqual([4, []]);
  });

  it('that writes what JSON cannot write has its say: an upstream that is busy is asked again', async () => {
    const client = axios.create({
      transformRequest: (data: { id: bigint }, headers) => {
        headers.setContentType('application/json');
        return JSON.stringify(member(Number(data.id)));
      },
    });
    const { summary, letters, seen } = await ask({
      records: 3,
      server: { faults: { errorRates: { '503': { p: 1, times: 2 } } } },
      request: { axios: client, body: ({ id }) => ({ id: BigInt(id) }) },
    });
    expect([summary.tasks['Ask']?.out, letters, seen.length]).toEqual([3, [], 5]);
  });
});

describe('a body', () => {
  const sent = async (body: unknown, request: Partial<RequestOptions<Member, Prediction>> = {}): Promise<unknown[]> => {
    const { seen, letters } = await ask({ records: 1, request: { ...request, body: () => body, retry: false } });
    expect(letters.filter(({ code }) => code !== 'MILLRACE_HTTP_STATUS' && code !== 'MILLRACE_BAD_RESPONSE')).toEqual(
      [],
    );
    return seen.map(({ headers }) => [headers['content-type'], headers['content-length']]);
  };

  it.each([
    ['an object', { a: 1 }, 'application/json', 7],
    ['a text, which is JSON too', '1', 'application/json', 3],
    ['null', null, 'application/json', 4],
    ['a date', new Date(0), 'application/json', 26],
    ['bytes, as they are', Buffer.from('"a"'), 'application/json', 3],
  ])('may be %s', async (_, body, type, length) => {
    expect(await sent(body)).toEqual([[type, String(length)]]);
  });

  it('keeps the type of content that was named', async () => {
    const request = { headers: { 'Content-Type': 'application/vnd.api+json' } };
    expect(await sent({ a: 'b' }, request)).toEqual([['application/vnd.api+json', '9']]);
  });
});

describe('credentials', () => {
  it('of the URL are sent, as axios and ws send them', async () => {
    const asked = await ask({ records: 1, credentials: 'us%C3%A9r:p%40ss' });
    expect(asked.seen[0]?.headers['authorization']).toBe(`Basic ${Buffer.from('usér:p@ss').toString('base64')}`);
    expect(asked.summary.outcome).toBe('completed');
  });

  it('stay behind at a redirect to another origin, also with an axios instance of the user', async () => {
    const elsewhere: string[][] = [];
    const asked = await ask({
      records: 1,
      request: {
        axios: axios.create({ proxy: false }),
        headers: { 'x-team-secret': 's' },
        credentialHeaders: ['X-Team-Secret'],
      },
      elsewhere: (headers) => elsewhere.push(Object.keys(headers)),
    });
    expect(asked.summary.outcome).toBe('completed');
    expect(elsewhere).toHaveLength(1);
    expect(elsewhere[0]).toContain('accept');
    expect(elsewhere[0]).not.toContain('x-team-secret');
  });
});

describe('options', () => {
  it.each([
    ['jitter', { retry: { jitter: 'half' } }],
    ['statuses', { retry: { statuses: 503 } }],
    ['statuses', { retry: { statuses: ['503'] } }],
    ['retryOn', { retry: { retryOn: true } }],
    ['limiter', { limiter: { concurrency: 3 } }],
    ['waitMs', { batch: { max: 2, waitMs: Infinity } }],
  ])('with a wrong `%s` are refused', (name, options) => {
    expect(() => requestTask({ url: 'http://h', ...options } as never)).toThrow(
      expect.objectContaining({ code: 'MILLRACE_INVALID_OPTION', message: expect.stringContaining(name) }),
    );
  });
});

describe('fair turns', () => {
  it('let no key starve, however many records another has', async () => {
    const records = [...times(400).map((n) => n * 2), 1, 3, 5];
    const { clock, calls, finished } = start(records, () => ({ afterMs: 1 }), {
      concurrency: 1,
      policies: fairBy((record: number) => record % 2),
    });
    await clock.advance(1000);
    await finished;
    const odd = calls.flatMap(({ record }, at) => (record % 2 === 1 ? [at] : []));
    expect(odd.at(-1)).toBeLessThan(8);
  });
});

describe('the summary', () => {
  it('reports what the calls of a task came to, and so does its file; a task without calls has no such part', async () => {
    const { clock, finished, events } = start(times(40), (_, call) => (call === 2 ? { status: 500 } : { afterMs: 5 }), {
      concurrency: 'auto',
      retry: { attempts: 3 },
    });
    await clock.advance(10_000);
    const summary = await finished;
    const calls = summary.tasks['Ask']?.calls;
    expect(calls).toMatchObject({
      upstream: 'http://ats.example/predict',
      policies: expect.stringContaining('concurrency chosen between 1 and 512'),
      counts: { attempts: 41, retries: 1, timeouts: 0 },
    });
    const chosen = events.flatMap((event) => (event.type === 'concurrency' ? [event.limit] : []));
    expect(calls?.concurrency).toBe(chosen.at(-1));
    const file = performanceSummary(summary) as { tasks: Record<string, { calls?: unknown }> };
    expect(file.tasks['Ask']?.calls).toEqual(calls);
    expect(file.tasks['Read']).not.toHaveProperty('calls');
  });
});
