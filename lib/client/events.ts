/**
 * The live events of a server, which it sends as server-sent events over a request with the token.
 *
 * Guarantees: the reader connects again when the connection breaks. Each connection begins with `change`, so a program
 * that requests the state at each `change` misses nothing. Unread events are bounded by the buffers of the connection,
 * because a slow reader gets fewer events.
 */
import { Observable } from 'rxjs';
import { sleep, systemClock } from '../model/clock.js';
import { MillraceError } from '../model/errors.js';
import { queryOf, type ServerRequests } from './requests.js';
import type { ServerRunView } from './shapes/run-view.js';

/** `change`: runs, schedules or workflows have changed. `run`: the run that was named has a new view. */
export type ServerEvent =
  | {
      /** The kind of the event. */
      readonly type: 'change';
    }
  | {
      /** The kind of the event. */
      readonly type: 'run';
      /** The graph of the run, with its figures. */
      readonly view: ServerRunView;
    };

/** Which events to read, and for how long. */
export interface EventsQuery {
  /** The id of a run whose views are sent too. */
  readonly run?: string | undefined;
  /** Ends the events without an error. */
  readonly signal?: AbortSignal | undefined;
}

/** The events from now on. Throws a ServerRefusedError if the server refuses them. */
export async function* readEvents(
  requests: ServerRequests,
  retryMs: number,
  { run, signal = new AbortController().signal }: EventsQuery,
): AsyncGenerator<ServerEvent, void, undefined> {
  while (!signal.aborted) {
    const connection = new AbortController();
    const stop = AbortSignal.any([signal, connection.signal]);
    try {
      const { body } = await requests.send('GET', `/live${queryOf({ run })}`, undefined, stop);
      if (body !== null) yield* eventsOf(body);
    } catch (error) {
      // A server that has too many streams, or that fails, may answer later. Any other refusal is final.
      const mayAnswer = error instanceof MillraceError && error.retryable;
      if (!stop.aborted && !mayAnswer) throw error;
    } finally {
      connection.abort();
    }
    await sleep(systemClock, retryMs, signal);
  }
}

/** The same events. Unsubscribing ends the request. */
export function eventsFrom(requests: ServerRequests, retryMs: number, query: EventsQuery): Observable<ServerEvent> {
  return new Observable((subscriber) => {
    const stop = new AbortController();
    const signal = query.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, query.signal]);
    void (async () => {
      try {
        for await (const event of readEvents(requests, retryMs, { ...query, signal })) subscriber.next(event);
        subscriber.complete();
      } catch (error) {
        subscriber.error(error);
      }
    })();
    return () => {
      stop.abort();
    };
  });
}

async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent, void, undefined> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = '';
  for (;;) {
    // A broken connection is treated like one that has ended: the caller connects again in both cases.
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }) as const);
    if (done) return;
    const parts = (rest + decoder.decode(value, { stream: true })).split('\n\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const type = /^event: (.*)$/m.exec(part)?.[1];
      if (type === 'change') yield { type };
      const data = /^data: (.*)$/m.exec(part)?.[1];
      if (type === 'run' && data !== undefined) yield { type, view: JSON.parse(data) as ServerRunView };
    }
  }
}
