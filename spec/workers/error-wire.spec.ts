/** Whatever is thrown in a thread arrives as what it was, or as close to it as possible. */
import { describe, expect, it } from '@jest/globals';
import { FatalTaskError, MillraceError } from '#lib/model/errors.js';
import { packError, unpackError } from '#lib/workers/error-wire.js';

const roundTrip = (thrown: unknown): unknown => unpackError(structuredClone(packError(thrown)));

describe('an error over the wire', () => {
  it.each([Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError])('stays a %p', (Class) => {
    const error = roundTrip(new Class('message')) as Error;
    expect(error).toBeInstanceOf(Class);
    expect(error.message).toBe('message');
    expect(error.stack).toContain('error-wire.spec');
  });

  it('of millrace keeps class, code and whether to retry', () => {
    const fatal = roundTrip(new FatalTaskError('MILLRACE_CONFIG', 'wrong'));
    expect(fatal).toBeInstanceOf(FatalTaskError);
    expect(roundTrip(new MillraceError('MILLRACE_NETWORK', 'down', { retryable: true }))).toMatchObject({
      code: 'MILLRACE_NETWORK',
      retryable: true,
    });
  });

  it('is a text if it cannot be read, and neither can the reason', () => {
    const unreadable = Object.defineProperty(new Error('x'), 'message', {
      get: () => {
        throw Object.create(null) as Error;
      },
    });
    expect(roundTrip(unreadable)).toMatch(/^an error that cannot be read/);
  });

  it('of a system call keeps its code', () => {
    const error = Object.assign(new Error('no such file'), { code: 'ENOENT', errno: -2 });
    expect(roundTrip(error)).toMatchObject({ code: 'ENOENT', errno: -2 });
  });

  it('keeps a name that was set', () => {
    const error = new Error('stopped');
    error.name = 'AbortError';
    expect((roundTrip(error) as Error).name).toBe('AbortError');
    expect(roundTrip(new DOMException('stopped', 'AbortError'))).toMatchObject({ name: 'AbortError', code: 20 });
  });

  it('keeps causes, also undefined ones, and cuts circles', () => {
    expect(roundTrip(new Error('outer', { cause: undefined }))).toHaveProperty('cause', undefined);
    const circle = new Error('circle');
    circle.cause = circle;
    let depth = 0;
    for (let at: unknown = roundTrip(circle); at instanceof Error; at = at.cause) depth++;
    expect(depth).toBeGreaterThan(3);
    expect(depth).toBeLessThan(20);
  });

  it.each([undefined, null, 0, -0, '', 'text', false, NaN, 10n])('leaves %p what it is', (thrown) => {
    expect(Object.is(roundTrip(thrown), thrown)).toBe(true);
  });

  it('describes what cannot travel', () => {
    expect(roundTrip(Symbol('odd'))).toContain('Symbol(odd)');
    expect(roundTrip({ run: () => 1 })).toContain('object');
    expect(roundTrip(Object.assign(new Error('with a handle'), { close: () => undefined }))).toMatchObject({
      close: expect.stringContaining('function') as unknown,
    });
  });

  it('never throws, whatever was thrown', () => {
    const hostile = Object.defineProperty(new Error('hostile'), 'message', {
      get: () => {
        throw new Error('gotcha');
      },
    });
    expect(roundTrip(hostile)).toContain('gotcha');
    expect(() => roundTrip(new Proxy({}, { getPrototypeOf: () => null }))).not.toThrow();
  });
});
