/** A WebSocket for which this process has no descriptor. */
import { describe, expect, it } from '@jest/globals';
import { failureKind } from '#lib/calls/failure-kind.js';
import { lossError, type SocketErrorContext } from '#lib/connectors/websocket/socket-errors.js';
import { systemClock } from '#lib/model/clock.js';

const context: SocketErrorContext = {
  ...{ upstream: 'ws://api.example', task: 'Score', isIdempotent: false, isUnixSocket: false },
  ...{ maxPayloadBytes: 1, clock: systemClock },
};

describe('a WebSocket for which this process has no descriptor', () => {
  it.each(['EMFILE', 'ENFILE'])('asks for fewer calls, and does not accuse the upstream (%s)', (code) => {
    const error = Object.assign(new Error(`connect ${code} 127.0.0.1:80`), { code });
    const lost = lossError({ wasOpen: false, why: 'refused', error }, context, false);
    expect(lost).toMatchObject({
      message: `'Score' cannot connect to ws://api.example, because too many files are open here (${code}). Raise the limit (ulimit -n), or lower \`concurrency\``,
      retryable: true,
    });
    expect(failureKind(lost)).toBe('load');
  });
});
