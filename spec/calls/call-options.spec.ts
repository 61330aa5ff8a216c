/** The options of calls, as somebody may mistype them: each is reported where it is given, before a run opens. */
import { describe, expect, it } from '@jest/globals';
import {
  adaptiveConcurrency,
  asyncTask,
  callTimeout,
  circuitBreaker,
  hedgePolicy,
  rateLimit,
  retryPolicy,
  sharedLimiter,
} from 'millrace';
import { requestTask, undiciAdapter } from 'millrace/http';
import { jsonRpcCodec } from '#lib/connectors/websocket/json-rpc-codec.js';
import { resolveWebSocketOptions } from '#lib/connectors/websocket/web-socket-options.js';
import { reported } from '../support/reported.js';

const ask = (options: object): string => reported(requestTask, { url: 'http://h', ...options });
const socket = (websocket: unknown): string => reported(requestTask, { url: 'ws://h', method: 'm', websocket });

describe('a name that no option of calls has', () => {
  it.each([
    ['A retry policy', reported(retryPolicy, { attemps: 2 }), 'attempts'],
    ['A call timeout', reported(callTimeout, { attemptMS: 2 }), 'attemptMs'],
    ['A circuit breaker', reported(circuitBreaker, { failure: 2 }), 'failures'],
    ['A hedge policy', reported(hedgePolicy, { sample: 2 }), 'samples'],
    ['A rate limit', reported(rateLimit, { perSecond: 1, bursts: 2 }), 'burst'],
    ['A shared limiter', reported(sharedLimiter, 'x', { concurrency: 1, rates: {} }), 'rate'],
    ['Adaptive concurrency', reported(adaptiveConcurrency, { maxx: 3 }), 'max'],
    ['An undiciAdapter', reported(undiciAdapter, { connection: 2 }), 'connections'],
    ['`websocket`', socket({ socket: 2 }), 'sockets'],
    ['A retry policy', ask({ retry: { attemps: 2 } }), 'attempts'],
    ['A circuit breaker', ask({ breaker: { probe: 2 } }), 'probes'],
    ['A retry policy', reported(asyncTask, () => 1, { retry: { attemps: 2 } }), 'attempts'],
  ])('of %s is refused: %#', (of, sentence, meant) => {
    expect(sentence).toContain(`MILLRACE_INVALID_OPTION: ${of} has no option`);
    expect(sentence).toContain(`Did you mean \`${meant}\`?`);
  });
});

describe('a value that an option of calls does not take', () => {
  it.each([
    [
      reported(retryPolicy, { baseMs: '200' }),
      '`baseMs` of a retry policy to be a finite number of at least 0, got "200" (string)',
    ],
    [reported(retryPolicy, { jitter: 'half' }), "`jitter` of a retry policy to be 'full' or 'none'"],
    [reported(retryPolicy, { statuses: ['503'] }), '`statuses` of a retry policy to be a list of statuses'],
    [reported(retryPolicy, 3), 'the options of a retry policy to be an object, got 3'],
    [reported(callTimeout, { attemptMs: 0 }), '`attemptMs` of a call timeout to be a finite number of at least 1'],
    [reported(circuitBreaker, { share: 2 }), '`share` of a circuit breaker to be a number from 0 to 1'],
    [reported(circuitBreaker, { pauseMs: 50, maxPauseMs: 20 }), '`maxPauseMs` to be a finite number of at least 50'],
    [reported(hedgePolicy, { quantile: 95 }), '`quantile` of a hedge policy to be a number from 0 to 1'],
    [reported(rateLimit, {}), '`perSecond` of a rate limit to be a finite number above 0, got undefined'],
    [reported(sharedLimiter, 'x', {}), '`concurrency` of a shared limiter to be a whole number of at least 1'],
    [reported(adaptiveConcurrency, { min: 8, max: 4 }), '`max` to be a whole number of at least 8'],
    [reported(adaptiveConcurrency, { max: 4, initial: 5 }), '`initial` to be a number from 1 to 4'],
    [
      reported(undiciAdapter, { connections: 0 }),
      '`connections` of an undiciAdapter to be a whole number of at least 1',
    ],
    [
      reported(undiciAdapter, { credentialHeaders: ['a b'] }),
      '`credentialHeaders` of an undiciAdapter to be names of headers',
    ],
    [ask({ credentialHeaders: ['a b'] }), '`credentialHeaders` of a requestTask to be names of headers'],
    [socket({ sockets: 0 }), '`sockets` of `websocket` to be a whole number of at least 1'],
    [socket({ codec: {} }), '`codec` of `websocket` to be an object with `encode`, `decode`'],
  ])('is refused: %#', (sentence, words) => {
    expect(sentence).toMatch(/^MILLRACE_INVALID_OPTION: Expected /);
    expect(sentence).toContain(words);
  });
});

describe('undefined', () => {
  it('stands for the default of each option', () => {
    const absent = (...names: string[]): never => Object.fromEntries(names.map((name) => [name, undefined])) as never;
    const pairs: readonly (readonly [unknown, unknown])[] = [
      [retryPolicy(absent('attempts', 'baseMs', 'jitter', 'statuses', 'retryOn')), retryPolicy()],
      [callTimeout(absent('attemptMs', 'recordMs')), callTimeout()],
      [circuitBreaker(absent('failures', 'maxPauseMs', 'deadlineMs')), circuitBreaker()],
      [hedgePolicy(absent('quantile', 'samples')), hedgePolicy()],
      [adaptiveConcurrency(absent('min', 'max', 'initial')), adaptiveConcurrency()],
    ];
    for (const [given, plain] of pairs) expect(String(given)).toBe(String(plain));
    const settings = { codec: jsonRpcCodec(), ...resolveWebSocketOptions(absent('sockets', 'codec', 'pingAfterMs')) };
    expect(settings).toMatchObject({ sockets: 2, maxBatch: 64, pingAfterMs: 10_000 });
    expect(settings.codec).toBeDefined();
    expect(socket({ sockets: undefined, codec: undefined })).toBe('accepted');
  });
});
