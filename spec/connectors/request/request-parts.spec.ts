import { describe, expect, it } from '@jest/globals';
import { requestTask } from '#lib/connectors/http/index.js';
import { parseRetryAfter } from '#lib/connectors/request/retry-after.js';
import { itemsOf } from '#lib/connectors/http/batch-answer.js';
import { explainFailure } from '#lib/connectors/http/explain-failure.js';
import { RootLedger } from '#lib/ledger/ledger.js';
import { CallIdentity } from '#lib/connectors/request/request-identity.js';
import { UrlTemplate } from '#lib/connectors/request/request-url.js';
import { IdRing } from '#lib/connectors/websocket/id-ring.js';
import { jsonRpcCodec } from '#lib/connectors/websocket/json-rpc-codec.js';
import { ask } from './support/ask.js';

const context = { upstream: 'http://ats', task: 'Ask', isIdempotent: true, now: 0 };

describe('UrlTemplate', () => {
  const fill = (url: string, record: unknown): string => new UrlTemplate(url, 'Ask').fill(record);

  it('fills path and query, encoded, also from nested fields', () => {
    const record = { id: 'a/b?c#d', day: { n: 7 }, flag: false };
    expect(fill('http://h/m/{id}?d={day.n}&f={flag}', record)).toBe('http://h/m/a%2Fb%3Fc%23d?d=7&f=false');
  });

  it.each([['..'], ['.']])('lets no record walk up the path with %s', (id) => {
    expect(() => fill('http://h/admin/{id}/x', { id })).toThrow('lead elsewhere');
  });

  it.each([[{}], [{ id: '' }], [{ id: null }], [{ id: {} }], [undefined]])('refuses the record %j', (record) => {
    expect(() => fill('http://h/{id}', record)).toThrow("the field 'id'");
  });

  it('does not look at what a record inherits', () => {
    expect(() => fill('http://h/{constructor}', {})).toThrow('constructor');
  });

  it.each([['http://{host}/x'], ['http://h:{port}/'], ['{url}'], ['ftp://h/'], ['']])('refuses %j', (url) => {
    expect(() => new UrlTemplate(url, 'Ask')).toThrow(expect.objectContaining({ code: 'MILLRACE_CONFIG' }));
  });

  it('names the upstream without query and credentials', () => {
    expect(new UrlTemplate('http://u:p@h:1/a/{id}?key=k', 'Ask').label).toBe('http://h:1/a/{id}');
  });
});

describe('parseRetryAfter', () => {
  it.each([
    ['3', 3000],
    ['0.5', 500],
    [2, 2000],
    ['Thu, 01 Jan 1970 00:00:10 GMT', 4000],
    ['Thu, 01 Jan 1970 00:00:01 GMT', 0],
    ['-3', undefined],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('reads %j as %j ms', (value, ms) => {
    expect(parseRetryAfter(value, 6000)).toBe(ms);
  });
});

describe('explainFailure', () => {
  /** As fetch reports it. */
  const caused = (code: string): Error =>
    new TypeError('fetch failed', { cause: Object.assign(new Error('no'), { code }) });
  const answered = (status: number, code = 'ERR_BAD'): unknown => ({
    code,
    response: { status, data: 'x', headers: { 'retry-after': '2' } },
  });

  it.each([
    [answered(500), 'MILLRACE_HTTP_STATUS', 'upstream', true],
    [answered(501), 'MILLRACE_HTTP_STATUS', 'record', false],
    [answered(503), 'MILLRACE_HTTP_STATUS', 'upstream', true],
    [answered(429), 'MILLRACE_HTTP_STATUS', 'load', true],
    [answered(408), 'MILLRACE_HTTP_STATUS', 'upstream', true],
    [answered(400), 'MILLRACE_HTTP_STATUS', 'record', false],
    [answered(200, 'ERR_BAD_RESPONSE'), 'MILLRACE_BAD_RESPONSE', 'record', true],
    [{ code: 'ERR_BAD_RESPONSE' }, 'MILLRACE_RESPONSE_LIMIT', 'record', false],
    [{ code: 'ECONNREFUSED' }, 'MILLRACE_NETWORK', 'upstream', true],
    [undefined, 'MILLRACE_NETWORK', 'upstream', true],
    [new TypeError('fetch failed'), 'MILLRACE_NETWORK', 'upstream', true],
    [caused('ECONNREFUSED'), 'MILLRACE_NETWORK', 'upstream', true],
  ])('reads case %#', (error, code, blame, retryable) => {
    expect(explainFailure(error, context)).toMatchObject({ code, blame, retryable });
  });

  it('says the code that the cause of an error has, and does not go round in causes', () => {
    expect(explainFailure(caused('ECONNREFUSED'), context)).toMatchObject({
      message: "http://ats cannot be reached by 'Ask': fetch failed: no (ECONNREFUSED)",
    });
    const round = new Error('round');
    round.cause = round;
    expect(explainFailure(round, context)).toMatchObject({ message: "http://ats cannot be reached by 'Ask': round" });
  });

  it('repeats nothing with an unknown outcome where no key is sent, but what was never sent', () => {
    const unsafe = { ...context, isIdempotent: false };
    expect(explainFailure({ code: 'ECONNRESET' }, unsafe)).toMatchObject({ retryable: false });
    expect(explainFailure({ code: 'ECONNREFUSED' }, unsafe)).toMatchObject({ retryable: true });
    expect(explainFailure(answered(500), unsafe)).toMatchObject({ retryable: false });
    expect(explainFailure(caused('ECONNREFUSED'), unsafe)).toMatchObject({ retryable: true });
    expect(explainFailure(new TypeError('fetch failed'), unsafe)).toMatchObject({ retryable: false });
    expect(explainFailure(answered(503), unsafe)).toMatchObject({ retryable: true, retryAfterMs: 2000 });
  });
});

describe('itemsOf', () => {
  it('pairs by place, and separates what may pass from what may not', () => {
    const answer = [
      { a: 1 },
      { error: { code: 'SERVICE_UNAVAILABLE' } },
      { error: { code: 'INVALID_BODY' } },
      { error: null, b: 2 },
    ];
    const items = itemsOf(answer, 4, undefined, context);
    expect(items).toMatchObject([
      { answer: { a: 1 } },
      { error: { retryable: true } },
      { error: { retryable: false } },
      { answer: { b: 2 } },
    ]);
  });

  it.each([[[1]], [{}], [null]])('pairs %j with nobody', (answer) => {
    expect(itemsOf(answer, 2, undefined, context)).toMatchObject({ code: 'MILLRACE_BAD_RESPONSE' });
  });

  it('asks the function it was given', () => {
    const errorOf = (item: unknown): { message: string } | undefined => (item === 2 ? { message: 'two' } : undefined);
    expect(itemsOf([1, 2], 2, errorOf, context)).toMatchObject([{ answer: 1 }, { error: { retryable: false } }]);
  });
});

describe('CallIdentity', () => {
  it('gives the same key for the same run, task, root and lineage, and another for any other', () => {
    const key = (run: string, task: string, root: string, lineage: number): string =>
      new CallIdentity({
        runId: run,
        task,
        numbering: root,
        root: new RootLedger('o', 8),
        outputs: undefined,
        identityOf: String,
      }).key(lineage);
    expect(key('r', 't', 'o', 1)).toBe(key('r', 't', 'o', 1));
    const all = [
      key('r', 't', 'o', 1),
      key('r', 't', 'o', 2),
      key('r', 't', 'p', 1),
      key('r', 'u', 'o', 1),
      key('s', 't', 'o', 1),
      key('rt', '', 'o', 1),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  it('gives a record of a partition a key of its own, which does not depend on its slot', () => {
    const identityOf = (slots: readonly (readonly [number, number])[]): CallIdentity => {
      const root = new RootLedger('o', 8);
      const ledgers = root.divide();
      for (const partition of [0, 1, 11]) ledgers.open(partition, { first: 0, from: 0 });
      for (const [partition, number] of slots) {
        ledgers.announce(partition, [number]);
        root.birth(1);
      }
      return new CallIdentity({ runId: 'r', task: 't', numbering: 'o', root, outputs: undefined, identityOf: String });
    };
    const namesOf = (identity: CallIdentity, slot: number): string[] => [
      identity.key(slot),
      identity.correlationId(slot),
      identity.traceparent(slot).slice(0, 35),
    ];
    const one = identityOf([
      [0, 1],
      [1, 1],
      [11, 1],
      [1, 11],
    ]);
    const other = identityOf([
      [1, 11],
      [11, 1],
      [1, 1],
      [0, 1],
    ]);
    const alone = new CallIdentity({
      runId: 'r',
      task: 't',
      numbering: 'o',
      root: new RootLedger('o', 8),
      outputs: undefined,
      identityOf: String,
    });
    for (const slot of [0, 1, 2, 3])
      expect(namesOf(one, slot)).toEqual(namesOf(other, slot === 1 ? 2 : slot === 2 ? 1 : 3 - slot));
    expect(namesOf(one, 0)).toEqual(namesOf(alone, 1));
    for (const name of [0, 1, 2]) expect(new Set([0, 1, 2, 3].map((slot) => namesOf(one, slot)[name])).size).toBe(4);
    expect(one.keys([0, 1])).toMatch(/^[0-9a-f]+-1\.1p1$/);
  });
});

describe('jsonRpcCodec', () => {
  const codec = jsonRpcCodec();
  const call = { id: 7, method: 'ats.predict', key: { name: 'idempotencyKey', value: 'k-1' }, traceparent: undefined };

  it('writes calls that are JSON-RPC, one or several a message', () => {
    const one = codec.encode({ ...call, params: { a: 1 } });
    expect(JSON.parse(one)).toEqual({
      jsonrpc: '2.0',
      id: 7,
      method: 'ats.predict',
      params: { a: 1 },
      idempotencyKey: 'k-1',
    });
    expect(JSON.parse(codec.encode({ ...call, params: 5 }))).toMatchObject({ params: [5] });
    expect(codec.frame?.([one])).toBe(one);
    expect(JSON.parse(codec.frame?.([one, one]) ?? '')).toHaveLength(2);
  });

  it('refuses parameters that JSON cannot carry', () => {
    expect(() => codec.encode({ ...call, params: undefined })).toThrow('JSON can carry');
    expect(() => codec.encode({ ...call, params: 1n })).toThrow();
  });

  it('reads results, errors that may pass and errors that may not, strange ids, and no garbage', () => {
    const reply = (rest: object): string => JSON.stringify({ jsonrpc: '2.0', ...rest });
    expect(codec.decode(reply({ id: 1, result: 0 }))).toEqual([{ id: 1, result: 0 }]);
    expect(
      codec.decode(`[${reply({ id: 'x', result: 1 })},${reply({ id: null, error: { code: -32700, message: 'no' } })}]`),
    ).toMatchObject([{ id: -1 }, { id: undefined, error: { isPassing: false } }]);
    expect(
      codec.decode(reply({ id: 1, error: { code: -32000, message: 'busy', data: { status: 429, retryAfter: '3' } } })),
    ).toMatchObject([{ error: { isPassing: true, status: 429, retryAfter: '3' } }]);
    for (const garbage of ['{"id":', '1', 'null', '[[]]']) expect(() => codec.decode(garbage)).toThrow();
  });
});

describe('IdRing', () => {
  it('remembers so many, the oldest go first', () => {
    const ring = new IdRing(2);
    for (const id of [1, 2, 3]) ring.add(id);
    expect([ring.remove(1), ring.remove(2), ring.remove(2), ring.remove(3)]).toEqual([false, true, false, true]);
  });
});

describe('requestTask', () => {
  it.each([
    ['an unknown option', { url: 'http://h', retries: 3 }],
    ['no whole number', { url: 'http://h', concurrency: 1.5 }],
    ['a negative timeout', { url: 'http://h', timeoutMs: -1 }],
    ['an unknown retry option', { url: 'http://h', retry: { tries: 2 } }],
    ['too large a batch', { url: 'http://h', batch: { max: 5000 } }],
    ['a body that is no function', { url: 'http://h', body: {} }],
  ])('refuses %s when it is made', (_, options) => {
    expect(() => requestTask(options as never)).toThrow(expect.objectContaining({ code: 'MILLRACE_INVALID_OPTION' }));
  });

  it.each([
    ['an HTTP option over WebSocket', 'ws', { batch: { max: 2 } }, '`batch`'],
    ['a WebSocket option over HTTP', 'http', { websocket: {} }, '`websocket`'],
    ['no method over WebSocket', 'ws', { method: undefined }, 'JSON-RPC method'],
    ['a method HTTP does not know', 'http', { method: 'ats.predict' }, '`method`'],
    ['places in a WebSocket URL', 'ws', { url: 'ws://127.0.0.1:1/{id}' }, 'one connection'],
  ] as const)('fails the run at once for %s', async (_, transport, request, words) => {
    const { failure } = await ask({ transport, request: request as object });
    expect(failure?.message).toContain(words);
  });

  it('fails the run, not a million records, where the handshake is refused', async () => {
    const asked = await ask({ transport: 'ws', server: { faults: { route: 'upgrade', errorRates: { 401: 1 } } } });
    expect(asked.failure).toMatchObject({ code: 'MILLRACE_HTTP_STATUS' });
    expect(asked.letters).toEqual([]);
  });

  it('sends nothing but what it was asked to', async () => {
    const asked = await ask({
      records: 1,
      request: { idempotencyKey: 'x-once', correlationId: false, trace: false, headers: { 'x-team': 'a' } },
    });
    expect(Object.keys(asked.seen[0]?.headers ?? {}).sort()).toEqual(
      [
        'accept',
        'accept-encoding',
        'connection',
        'content-length',
        'content-type',
        'host',
        'user-agent',
        'x-once',
        'x-team',
      ].sort(),
    );
  });
});
