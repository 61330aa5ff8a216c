import { describe, expect, it } from '@jest/globals';
import { failureKind } from '#lib/calls/failure-kind.js';
import { explainFailure } from '#lib/connectors/http/explain-failure.js';

describe('a request for which this process has no descriptor', () => {
  it.each(['EMFILE', 'ENFILE'])('asks for fewer calls, and does not accuse the upstream (%s)', (code) => {
    const cause = Object.assign(new Error(`connect ${code} 127.0.0.1:80`), { code });
    const context = { upstream: 'api.example', task: 'Score', isIdempotent: false, now: 0 };
    const error = explainFailure(new Error('request failed', { cause }), context);
    expect(error).toMatchObject({
      message: `'Score' cannot connect to api.example, because too many files are open here (${code}). Raise the limit (ulimit -n), or lower \`concurrency\``,
      retryable: true,
    });
    expect(failureKind(error)).toBe('load');
  });
});
