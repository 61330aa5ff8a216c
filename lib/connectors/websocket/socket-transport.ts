/** The WebSocket transport of a request task. Loading it loads the `ws` package and opens nothing. */
import { holdClock, type Skip } from '../../connect/index.js';
import { DEFAULT_MAX_RESPONSE_BYTES } from '../request/http-defaults.js';
import { answerReader, bodyFunction } from '../request/request-body.js';
import { CallIdentity } from '../request/request-identity.js';
import { DEFAULT_SOCKET_CONCURRENCY, type Transport, type TransportParts } from '../request/transport.js';
import { jsonRpcCodec } from './json-rpc-codec.js';
import { SocketCaller, type SocketCallerParts } from './socket-caller.js';
import { resolveWebSocketOptions } from './web-socket-options.js';

/** Connections open with the first call. */
export async function openSocketTransport<In, Out>({
  request,
  url,
  isIdempotent,
  clock,
  upstream,
  connection,
}: TransportParts<In, Out>): Promise<Transport<In, Out | Skip>> {
  const standIn = upstream === undefined ? undefined : await holdClock(clock, import('./socket-stand-in.js'));
  const { idempotencyKey = 'idempotencyKey', headers = {}, method = 'POST', trace = false } = request;
  let caller: SocketCaller<In, Out | Skip> | undefined;
  return {
    concurrency: DEFAULT_SOCKET_CONCURRENCY,
    caller: (scope) => {
      const parts: SocketCallerParts<In, Out | Skip> = {
        url: url.fill(undefined),
        upstream: url.label,
        task: scope.task,
        method,
        headers: { 'x-correlation-id': scope.runId, ...headers },
        settings: { codec: jsonRpcCodec(request.largeIntegers), ...resolveWebSocketOptions(request.websocket) },
        maxPayloadBytes: request.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES,
        keyName: idempotencyKey === false ? undefined : idempotencyKey,
        sendsTrace: trace,
        identity: new CallIdentity(scope),
        isIdempotent,
        connection,
        isUnixSocket: request.socketPath !== undefined,
        notice: (message) => {
          scope.notice(message);
        },
        clock,
        random: () => scope.random(),
        bodyOf: bodyFunction(request, scope, 'POST'),
        read: answerReader(request, url, scope),
      };
      if (upstream !== undefined && standIn !== undefined) return new standIn.SocketStandIn(parts, upstream);
      caller = new SocketCaller(parts);
      return caller;
    },
    close: async () => {
      await caller?.close();
    },
  };
}
