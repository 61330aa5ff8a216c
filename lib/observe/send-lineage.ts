/**
 * Sends the lineage of a run to a file or a server.
 *
 * Guarantees: the run neither waits for the sending nor fails with it; at most a few events wait; each event has three
 * attempts, and each attempt ends within its timeout.
 */
import { appendFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { Observable } from 'rxjs';
import { MillraceError, describeThrown, describeValue } from '../model/errors.js';
import type { RunEvent } from '../model/events.js';
import { maskText } from '../text/mask-secrets.js';
import { checkOptions, checkText, number, text, words, type OptionRules } from '../options/options.js';
import { LineageReporter, type LineageEvent } from './open-lineage.js';

/** Options of `openLineage`. */
export interface LineageOptions {
  /** The namespace of the job, which separates its name from the names of other teams. Default `millrace`. */
  readonly namespace?: string;
  /** Sent as `Authorization: Bearer …`. Default: no such header. The empty text means no header too. */
  readonly apiKey?: string | undefined;
  /** Timeout per attempt in milliseconds, at most 24 days (the longest timer of Node). Default 5,000. */
  readonly timeoutMs?: number;
}

const RULES: OptionRules<LineageOptions> = { namespace: text, apiKey: words, timeoutMs: number(1, 2 ** 31 - 1) };

const ATTEMPTS = 3;
const RETRY_AFTER_MS = 200;
/** The path at which OpenLineage servers accept events. */
const ENDPOINT = '/api/v1/lineage';

/** Throws MILLRACE_INVALID_OPTION if the target is neither a file path nor a valid http(s) URL. */
export function assertTarget(target: string): void {
  checkText('the target of openLineage', target);
  if (!/^[a-z][a-z\d+.-]*:\/\//i.test(target) || (/^https?:/i.test(target) && URL.canParse(target))) return;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected the target of openLineage to be a file path or an http(s) URL, got ${describeValue(target)}`,
  );
}

/**
 * Sends the lineage events to `target`. A file receives one line per event. A URL without a path gets the usual path of
 * OpenLineage servers, `/api/v1/lineage`. Resolves when the run has ended and every event is sent. Rejects with
 * MILLRACE_FILE or MILLRACE_NETWORK if an event could not be sent. Throws MILLRACE_INVALID_OPTION for an invalid target
 * or invalid options.
 *
 * @example openLineage(run.events$, 'https://lineage.example', { namespace: 'offers' })
 */
export function openLineage(
  events$: Observable<RunEvent>,
  target: string,
  options: LineageOptions = {},
): Promise<void> {
  assertTarget(target);
  checkOptions('openLineage', options, RULES);
  const reporter = new LineageReporter(options.namespace ?? 'millrace');
  const send = /^https?:\/\//i.test(target) ? senderTo(new URL(target), options) : writerTo(target);
  let failure: unknown;
  let sending = Promise.resolve();
  const sent = new Promise<void>((resolve, reject) => {
    const end = (): void => {
      void sending.then(() => {
        if (failure === undefined) resolve();
        else reject(failure);
      });
    };
    events$.subscribe({
      next: (event) => {
        const lineage = reporter.record(event);
        if (lineage === undefined) return;
        // One event at a time: a server must not receive the end of a run before its start.
        sending = sending
          .then(() => send(lineage))
          .catch((error: unknown) => {
            failure ??= error;
          });
      },
      error: end,
      complete: end,
    });
  });
  // A caller that ignores the promise must not cause an unhandled rejection.
  sent.catch(() => undefined);
  return sent;
}

function writerTo(path: string): (event: LineageEvent) => Promise<void> {
  return async (event) => {
    try {
      await appendFile(path, `${JSON.stringify(event)}\n`);
    } catch (error) {
      throw new MillraceError('MILLRACE_FILE', `Cannot write lineage to ${path}: ${describeThrown(error)}`, {
        cause: error,
      });
    }
  };
}

function senderTo(url: URL, { apiKey, timeoutMs = 5000 }: LineageOptions): (event: LineageEvent) => Promise<void> {
  const endpoint = url.pathname === '/' ? new URL(ENDPOINT, url) : url;
  const headers = {
    'content-type': 'application/json',
    ...(apiKey === undefined || apiKey === '' ? {} : { authorization: `Bearer ${apiKey}` }),
  };
  const attempt = async (body: string): Promise<void> => {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(endpoint, { method: 'POST', headers, body, signal, redirect: 'error' });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`it answered ${response.status}`);
  };
  return async (event) => {
    const body = JSON.stringify(event);
    for (let attempts = 1; ; attempts++) {
      try {
        await attempt(body);
        return;
      } catch (error) {
        if (attempts < ATTEMPTS) {
          await wait(RETRY_AFTER_MS * attempts);
          continue;
        }
        throw new MillraceError(
          'MILLRACE_NETWORK',
          // `fetch` quotes the whole URL in its error if the URL contains credentials.
          maskText(`Cannot send lineage to ${endpoint.href}: ${describeThrown(error)}. The run is not affected`),
          { cause: error },
        );
      }
    }
  };
}
