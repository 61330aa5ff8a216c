/**
 * One WebSocket connection to an upstream, and its unanswered calls.
 *
 * Guarantees: `onEnd` is called once. A silent connection is pinged, and dropped if no pong arrives. Messages above the
 * limit are never buffered, and nothing is compressed.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket, type RawData } from 'ws';
import type { Clock } from '../../connect/index.js';
import type { Attempt } from '../../calls/call.js';
import type { Connection } from '../request/connection.js';
import { connecting, type Connecting } from './socket-connect.js';
import { NO_CLOSE_FRAME, REJECTIONS } from './close-codes.js';
import type { WebSocketSettings } from './web-socket-options.js';

export interface LinkHandlers<In> {
  readonly onOpen: () => void;
  readonly onMessage: (text: string, link: SocketLink<In>) => void;
  /** The send buffer has room again. */
  readonly onDrain: () => void;
  readonly onEnd: (link: SocketLink<In>, end: LinkEnd) => void;
}

/** The end of a connection and its cause. */
export interface LinkEnd {
  readonly wasOpen: boolean;
  /**
   * `limit`: a message was too large. `garbage`: a message could not be decoded. `rejected`: the upstream closed the
   * connection because of a call, or refuses the caller. `broken`: the connection was lost. `refused`: it was never
   * made.
   */
  readonly why: 'limit' | 'garbage' | 'rejected' | 'broken' | 'refused';
  readonly error: unknown;
  /** The code of the closing handshake (RFC 6455, 7.4), if there was one. */
  readonly closeCode?: number;
  /** The answer to the handshake, if it was not an upgrade. */
  readonly response?: { readonly status: number; readonly retryAfter: unknown };
}

export interface LinkParts {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly maxPayloadBytes: number;
  readonly connection: Connection;
  readonly settings: WebSocketSettings;
  readonly clock: Clock;
}

const TOO_LARGE = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
const CLOSE_WITHIN_MS = 500;

export class SocketLink<In> {
  /** The unanswered attempts, by id. */
  readonly pending = new Map<number, Attempt<In>>();
  lastMessageAtMs = -Infinity;
  /** Whether a reply to a call has come over this connection. */
  hasReplied = false;
  private readonly parts: LinkParts;
  private readonly handlers: LinkHandlers<In>;
  private readonly socket: WebSocket;
  private readonly connecting: Connecting;
  private lastHeardMs: number;
  private cancelHeartbeat: (() => void) | undefined;
  private end: Partial<LinkEnd> = {};
  private wasOpen = false;
  /** The TCP or TLS connection below. */
  private raw: Socket | undefined;
  private isCorked = false;
  private isOver = false;

  constructor(parts: LinkParts, handlers: LinkHandlers<In>) {
    const { url, headers, maxPayloadBytes, settings, clock, connection } = parts;
    const { connectTimeoutMs, protocols } = settings;
    this.connecting = connecting(url, connection, connectTimeoutMs);
    const { createConnection } = this.connecting;
    this.parts = parts;
    this.handlers = handlers;
    this.lastHeardMs = clock.monotonicMs();
    this.socket = new WebSocket(url, [protocols].flat(), {
      headers,
      ...connection.tls,
      ...(createConnection === undefined ? {} : { createConnection }),
      maxPayload: maxPayloadBytes,
      // A frame of a few kilobytes can inflate to many megabytes, and compression costs more than it saves in a data
      // centre.
      perMessageDeflate: false,
      handshakeTimeout: connectTimeoutMs,
      followRedirects: false,
    });
    this.listen();
  }

  get isOpen(): boolean {
    return !this.isOver && this.socket.readyState === WebSocket.OPEN;
  }

  /** Whether another message may be queued. */
  get hasRoom(): boolean {
    return this.isOpen && this.socket.bufferedAmount < this.parts.settings.maxBufferedBytes;
  }

  send(text: string): void {
    this.cork();
    // Only the message that fills the buffer needs a callback.
    if (this.socket.bufferedAmount + text.length < this.parts.settings.maxBufferedBytes) this.socket.send(text);
    else {
      this.socket.send(text, () => {
        this.handlers.onDrain();
      });
    }
  }

  /**
   * Sends the messages of one turn with one system call, because a system call costs more than the rest of a small
   * message.
   */
  private cork(): void {
    const { raw } = this;
    if (this.isCorked || raw === undefined) return;
    this.isCorked = true;
    raw.cork();
    process.nextTick(() => {
      this.isCorked = false;
      raw.uncork();
    });
  }

  /** Closes the connection at once. Pending calls are lost. */
  drop(why: LinkEnd['why'], error: unknown): void {
    this.end = { why, error, ...this.end };
    this.connecting.cancel();
    this.socket.terminate();
  }

  /** Closes the connection with a handshake. Resolves when the socket is closed. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.readyState === WebSocket.CLOSED) {
        resolve();
        return;
      }
      const timer = setTimeout(() => {
        this.socket.terminate();
      }, CLOSE_WITHIN_MS);
      this.socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      if (this.socket.readyState === WebSocket.CONNECTING) {
        this.connecting.cancel();
        this.socket.terminate();
      } else this.socket.close(1000);
    });
  }

  private listen(): void {
    const { socket, parts, handlers } = this;
    socket.on('upgrade', (response: IncomingMessage) => {
      this.raw = response.socket;
    });
    socket.on('open', () => {
      this.wasOpen = true;
      this.heard();
      this.watch(parts.settings.pingAfterMs);
      handlers.onOpen();
    });
    socket.on('message', (data: RawData) => {
      this.heard();
      this.lastMessageAtMs = this.lastHeardMs;
      handlers.onMessage(textOf(data), this);
    });
    socket.on('pong', this.heard);
    socket.on('ping', this.heard);
    socket.on('unexpected-response', (request, response: IncomingMessage) => {
      response.resume();
      request.destroy();
      const status = response.statusCode ?? 0;
      this.finish({
        why: 'refused',
        error: new Error(`the handshake was answered with status ${status}`),
        response: { status, retryAfter: response.headers['retry-after'] },
      });
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === TOO_LARGE ? 'limit' : this.wasOpen ? 'broken' : 'refused';
      this.end = { why, error, ...this.end };
    });
    socket.on('close', (closeCode: number, reason: Buffer) => {
      const why = REJECTIONS.has(closeCode) ? 'rejected' : 'broken';
      this.finish({ why, error: closeError(closeCode, reason.toString()), ...this.end, closeCode });
    });
  }

  private readonly heard = (): void => {
    this.lastHeardMs = this.parts.clock.monotonicMs();
  };

  /** A half-open connection emits no event, so a silent connection is pinged. */
  private watch(delayMs: number): void {
    const { clock, settings } = this.parts;
    this.cancelHeartbeat = clock.schedule(delayMs, () => {
      const silentMs = clock.monotonicMs() - this.lastHeardMs;
      if (silentMs < settings.pingAfterMs) {
        this.watch(settings.pingAfterMs - silentMs);
        return;
      }
      const askedAtMs = clock.monotonicMs();
      this.socket.ping();
      this.cancelHeartbeat = clock.schedule(settings.pongWithinMs, () => {
        if (this.lastHeardMs >= askedAtMs) this.watch(settings.pingAfterMs);
        else
          this.drop('broken', new Error(`the connection is silent, also to a ping, for ${settings.pongWithinMs} ms`));
      });
    });
  }

  private finish(end: Omit<LinkEnd, 'wasOpen'>): void {
    if (this.isOver) return;
    this.isOver = true;
    this.cancelHeartbeat?.();
    this.handlers.onEnd(this, { ...end, wasOpen: this.wasOpen });
  }
}

function closeError(code: number, reason: string): Error {
  const quoted = reason === '' ? '' : ` and the reason ${JSON.stringify(reason)}`;
  if (code === NO_CLOSE_FRAME) return new Error('the connection ended without a closing handshake (code 1006)');
  return new Error(`the upstream closed the connection with code ${code}${quoted}`);
}

function textOf(data: RawData): string {
  if (Buffer.isBuffer(data)) return data.toString('utf8');
  return Array.isArray(data) ? Buffer.concat(data).toString('utf8') : Buffer.from(data).toString('utf8');
}
