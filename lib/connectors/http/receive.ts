/**
 * One request and its whole answer over undici.
 *
 * Guarantees: the received bytes never exceed the limit, not even by one chunk. A cancelled request ends at once, also
 * while it waits for a connection. Exactly one of `received` and `failed` is called, and only once.
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
    new PromisedReception(maxBytes, cancellation, resolve, reject).dispatch(dispatcher, hop);
  });
}

const EMPTY = Buffer.alloc(0);

/**
 * Collects an answer. Subclasses receive it without a promise, because a promise is a noticeable part of the cost of a
 * request.
 */
export abstract class Reception implements Dispatcher.DispatchHandler {
  private readonly maxBytes: number;
  private controller: Dispatcher.DispatchController | undefined;
  private cancelled: Error | undefined;
  private isOver = false;
  private status = 0;
  private statusText = '';
  private headers: IncomingHttpHeaders = {};
  /** Most answers are one chunk. */
  private chunk: Buffer | undefined;
  private chunks: Buffer[] | undefined;
  private bytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Receives the answer. Must not throw: its error would end the process as an unhandled error. */
  protected abstract received(received: Received): void;

  /** Receives the error, if there is no answer. Must not throw. */
  protected abstract failed(error: Error): void;

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    // The request was cancelled while it waited for a connection.
    if (this.cancelled !== undefined) controller.abort(this.cancelled);
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
      this.drop();
      controller.abort(tooLarge(this.bytes, this.maxBytes));
    } else if (this.chunk === undefined) this.chunk = chunk;
    else if (this.chunks === undefined) this.chunks = [this.chunk, chunk];
    else this.chunks.push(chunk);
  }

  onResponseEnd(): void {
    if (this.isOver) return;
    this.isOver = true;
    const { status, statusText, headers, chunk, chunks } = this;
    this.drop();
    const body = chunks === undefined ? (chunk ?? EMPTY) : Buffer.concat(chunks);
    try {
      this.received({ status, statusText, headers, body });
    } catch (error) {
      // undici would treat it as an error of the connection.
      queueMicrotask(() => {
        throw error as Error;
      });
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  /** Ends the request and closes its connection. Afterwards nothing is received. */
  protected cancel(error: Error): void {
    this.cancelled = error;
    this.controller?.abort(error);
    this.fail(error);
  }

  private fail(error: Error): void {
    if (this.isOver) return;
    this.isOver = true;
    this.drop();
    this.failed(error);
  }

  private drop(): void {
    this.chunk = undefined;
    this.chunks = undefined;
  }
}

class PromisedReception extends Reception {
  private readonly cancellation: Cancellable;
  private readonly resolve: (received: Received) => void;
  private readonly reject: (error: Error) => void;
  private readonly release: () => void;

  constructor(
    maxBytes: number,
    cancellation: Cancellable,
    resolve: (received: Received) => void,
    reject: (error: Error) => void,
  ) {
    super(maxBytes);
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

  protected override received(received: Received): void {
    this.release();
    this.resolve(received);
  }

  protected override failed(error: Error): void {
    this.release();
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
