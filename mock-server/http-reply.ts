/**
 * Writes HTTP responses, intact or spoilt by a fault.
 *
 * Guarantees: a reply to a disconnected client is dropped without an error; a spoilt reply of any size uses the memory
 * of at most one chunk (a gzip bomb: its compressed size).
 */
import { STATUS_CODES } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { errorBody } from './bodies.js';
import type { Delays } from './delays.js';
import type { ReplyFault } from './fault-rule.js';

const CHUNK_BYTES = 65_536;

/** Sends JSON text. `headers` is a flat list: name, value, name, value. */
export function sendJson(
  response: ServerResponse,
  status: number,
  text: string,
  headers: readonly string[] = [],
): void {
  const length = String(Buffer.byteLength(text));
  response.writeHead(status, ['content-type', 'application/json', 'content-length', length, ...headers]);
  response.end(text);
}

/** The JSON of a refusal: `code` is the status in words, as in METHOD_NOT_ALLOWED. */
export function statusBody(status: number, message: string): string {
  const code = (STATUS_CODES[status] ?? `STATUS_${String(status)}`).toUpperCase().replace(/[^A-Z0-9]+/g, '_');
  return errorBody({ code, path: '', message });
}

/** Sends `text`, an answer of status 200, spoilt by `fault`. */
export function sendSpoilt(
  request: IncomingMessage,
  response: ServerResponse,
  text: string,
  fault: ReplyFault,
  delays: Delays,
): void {
  switch (fault.kind) {
    case 'dropReply':
      request.socket.destroy();
      return;
    case 'reset':
      // The write callback runs when the kernel has the first half. Without it, the client would receive only a reset.
      begin(response, Buffer.byteLength(text));
      response.write(text.slice(0, text.length / 2), () => request.socket.resetAndDestroy());
      return;
    case 'malformedJson':
      sendJson(response, 200, text.slice(0, -Math.ceil(text.length / 2)));
      return;
    case 'wrongSchema':
      sendJson(response, 200, wrongSchema(text));
      return;
    case 'slowDrip':
      drip(request, response, Buffer.from(text), fault.everyMs, delays);
      return;
    case 'hugeBody':
      pad(response, text, fault.bytes);
      return;
    case 'gzipBomb': {
      const body = bomb(text, fault.inflatedMiB);
      begin(response, body.length, ['content-encoding', 'gzip']);
      response.end(body);
      return;
    }
    case 'reorderReply':
      // A connection carries one HTTP exchange at a time, so there is no order to change.
      sendJson(response, 200, text);
  }
}

/** The answer as valid JSON that no schema of this repository accepts. */
export function wrongSchema(text: string): string {
  return JSON.stringify({ unexpected: text });
}

function begin(response: ServerResponse, length: number, headers: readonly string[] = []): void {
  response.writeHead(200, ['content-type', 'application/json', 'content-length', String(length), ...headers]);
}

function drip(request: IncomingMessage, response: ServerResponse, body: Buffer, everyMs: number, delays: Delays): void {
  begin(response, body.length);
  let at = 0;
  const next = (): void => {
    if (request.socket.destroyed) return;
    response.write(body.subarray(at, ++at));
    if (at < body.length) delays.after(everyMs, next);
    else response.end();
  };
  next();
}

/** Adds white space before the last character, and writes as fast as the client reads. */
function pad(response: ServerResponse, text: string, bytes: number): void {
  const head = text.slice(0, -1);
  let left = Math.max(0, bytes - Buffer.byteLength(text));
  begin(response, Buffer.byteLength(text) + left);
  response.write(head);
  const chunk = Buffer.alloc(CHUNK_BYTES, ' ');
  const next = (): void => {
    while (left > 0) {
      const size = Math.min(left, CHUNK_BYTES);
      left -= size;
      if (!response.write(chunk.subarray(0, size))) {
        response.once('drain', next);
        return;
      }
    }
    response.end(text.slice(-1));
  };
  next();
}

let spaces: Buffer | undefined;

/** A gzip file may consist of several members in sequence (RFC 1952, 2.2), so one compressed MiB is enough. */
function bomb(text: string, inflatedMiB: number): Buffer {
  spaces ??= gzipSync(Buffer.alloc(1_048_576, ' '), { level: 9 });
  return Buffer.concat([...Array<Buffer>(inflatedMiB).fill(spaces), gzipSync(text)]);
}
