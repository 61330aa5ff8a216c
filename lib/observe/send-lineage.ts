/**
 * Sends the lineage of a run to a file or a server. Promise: the run neither waits for it nor fails with it; at most a few
 * events wait, each is tried three times, and no try takes longer than its timeout.
 */
import { appendFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { Observable } from 'rxjs';
import { MillraceError, describeThrown, describeValue } from '../model/errors.js';
import type { RunEvent } from '../model/events.js';
import { maskText } from '../text/mask-secrets.js';
import { checkOptions, checkText, number, text, words, type OptionRules } from '../options/options.js';
import { LineageTeller, type LineageEvent } from './open-lineage.js';

/** Options of `openLineage`. */
export interface LineageOptions {
  /** What keeps the names of jobs apart from those of others. Default `millrace`. */
  readonly namespace?: string;
  /** Sent as `Authorization: Bearer …`. Default, and '': none. */
  readonly apiKey?: string | undefined;
  /** Milliseconds a try may take, at most as long as a timer can be: 24 days. Default 5,000. */
  readonly timeoutMs?: number;
}

const RULES: OptionRules<LineageOptions> = { namespace: text, apiKey: words, timeoutMs: number(1, 2 ** 31 - 1) };

const TRIES = 3;
const RETRY_AFTER_MS = 200;
/** Where servers of OpenLineage take events. */
const ENDPOINT = '/api/v1/lineage';

/** Throws MILLRACE_INVALID_OPTION for a URL that nothing can be sent to. */
export function assertTarget(target: string): void {
  checkText('the target of openLineage', target);
  if (!/^[a-z][a-z\d+.-]*:\/\//i.test(target) || (/^https?:/i.test(target) && URL.canParse(target))) return;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Lineage goes to a file or to an http(s) URL, got ${describeValue(target)}`,
  );
}

/**
 * Sends the events to `target`: a file, which gets a line each, or the http(s) URL of a server (its usual endpoint is added
 * to a URL without a path). Resolves when the run is over and all is sent; rejects with MILLRACE_FILE or
 * MILLRACE_NETWORK where some of it could not be. Throws MILLRACE_INVALID_OPTION.
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
  const teller = new LineageTeller(options.namespace ?? 'millrace');
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
        const lineage = teller.take(event);
        if (lineage === undefined) return;
        // One after the other: a server must not hear of the end first.
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
  // Whoever does not wait for it must not get an unhandled rejection.
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
    for (let tries = 1; ; tries++) {
      try {
        await attempt(body);
        return;
      } catch (error) {
        if (tries < TRIES) {
          await wait(RETRY_AFTER_MS * tries);
          continue;
        }
        throw new MillraceError(
          'MILLRACE_NETWORK',
          `Cannot send lineage to ${maskText(endpoint.href)}: ${describeThrown(error)}. The run is not affected`,
          { cause: error },
        );
      }
    }
  };
}
