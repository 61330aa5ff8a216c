/**
 * Reads the JSON body of a request.
 *
 * Guarantees: a body over the limit is refused as soon as its length is known and is never held in memory, but it is
 * read to its end, so that the client receives the 413 and not a broken pipe; `done` is called at most once, and never
 * if the client disconnects.
 */
import type { IncomingMessage } from 'node:http';

/** The parsed body, or the status that refuses it. */
export type BodyOutcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly status: 400 | 413 | 415; readonly message: string };

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;

export function readJsonBody(request: IncomingMessage, limitBytes: number, done: (outcome: BodyOutcome) => void): void {
  const type = request.headers['content-type'];
  if (type !== 'application/json' && !JSON_TYPE.test(type ?? '')) {
    request.resume();
    done({ ok: false, status: 415, message: `Expected content-type application/json, got ${type ?? 'none'}.` });
    return;
  }
  if (request.headers['content-encoding'] !== undefined && request.headers['content-encoding'] !== 'identity') {
    request.resume();
    done({ ok: false, status: 415, message: 'Request bodies must not be compressed.' });
    return;
  }
  const tooLarge = { ok: false, status: 413, message: `The body is over ${String(limitBytes)} bytes.` } as const;
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) {
    request.resume();
    done(tooLarge);
    return;
  }
  // Nearly every body is a single chunk, which needs no array and no concat.
  let first: Buffer | undefined;
  let more: Buffer[] | undefined;
  let length = 0;
  let isRefused = false;
  request.on('data', (chunk: Buffer) => {
    if (isRefused) return;
    length += chunk.length;
    if (length > limitBytes) {
      isRefused = true;
      first = more = undefined;
      done(tooLarge);
    } else if (first === undefined) first = chunk;
    else (more ??= []).push(chunk);
  });
  request.on('end', () => {
    if (isRefused) return;
    const whole = first === undefined ? '' : (more === undefined ? first : Buffer.concat([first, ...more])).toString();
    done(parse(whole));
  });
}

function parse(text: string): BodyOutcome {
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ok: false, status: 400, message: `The body is not JSON: ${reason}` };
  }
}
