/**
 * One request and its whole answer over undici.
 *
 * Guarantees: the received bytes never exceed the limit, not even by one chunk. A cancelled request ends at once, also while
 * it waits for a connection.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { UpstreamError } from '../../connect/index.js';
import type { Cancellable } from '../request/upstream-answer.js';
import type { Hop } from './redirect.js';

export interface Received {
  readonly status: number;
  readonly statusText: string;
  readonly headers: IncomingHttpHeaders;
  /** As received, possibly compressed. */
  readonly body: Buffer;
}

export function receive(
  dispatcher: Dispatcher,
  hop: Hop,
  maxBytes: number,
  cancellation: Cancellable,
): Promise<Received> {
  return new Promise((resolve, reject) => {
    new Exchange(maxBytes, cancellation, resolve, reject).dispatch(dispatcher, hop);
  });
}

const EMPTY = Buffer.alloc(0);

class Exchange implements Dispatcher.DispatchHandler {
  private readonly maxBytes: number;
  private readonly cancellation: Cancellable;
  private readonly resolve: (received: Received) => void;
  private readonly reject: (error: Error) => void;
  private readonly release: () => void;
  private controller: Dispatcher.DispatchController | undefined;
  private status = 0;
  private statusText = '';
  private headers: IncomingHttpHeaders = {};
  private chunks: Buffer[] = [];
  private bytes = 0;

  constructor(
    maxBytes: number,
    cancellation: Cancellable,
    resolve: (received: Received) => void,
    reject: (error: Error) => void,
  ) {
    this.maxBytes = maxBytes;
    this.cancellation = cancellation;
    this.resolve = resolve;
    this.reject = reject;
    this.release = cancellation.whenCancelled((error) => {
      this.cancel(error);
    });
  }

  dispatch(dispatcher: Dispatcher, { url, method, headers, body }: Hop): void {
    if (this.cancellation.error !== undefined) {
      this.cancel(this.cancellation.error);
      return;
    }
    const path = url.search === '' ? url.pathname : url.pathname + url.search;
    dispatcher.dispatch({ origin: url.origin, path, method, headers, body }, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    // It was cancelled while it waited for a connection.
    if (this.cancellation.error !== undefined) controller.abort(this.cancellation.error);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: IncomingHttpHeaders,
    statusText = '',
  ): void {
    if (statusCode < 200) return;
    this.status = statusCode;
    this.statusText = statusText;
    this.headers = headers;
    const announced = Number(headers['content-length'] ?? 0);
    if (announced > this.maxBytes) controller.abort(tooLarge(announced, this.maxBytes));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.bytes > this.maxBytes) {
      this.chunks = [];
      controller.abort(tooLarge(this.bytes, this.maxBytes));
    } else this.chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.release();
    const { status, statusText, headers, chunks } = this;
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : chunks.length === 0 ? EMPTY : Buffer.concat(chunks);
    this.resolve({ status, statusText, headers, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.release();
    this.chunks = [];
    this.reject(error);
  }

  private cancel(error: Error): void {
    this.controller?.abort(error);
    this.release();
    this.chunks = [];
    this.reject(error);
  }
}

export function tooLarge(bytes: number, maxBytes: number): UpstreamError {
  return new UpstreamError(
    'MILLRACE_RESPONSE_LIMIT',
    `The answer has ${bytes} bytes or more, and ${maxBytes} are allowed. Raise \`maxResponseBytes\` if such answers are right`,
    { blame: 'record' },
  );
}
