/**
 * The direct path of a request from a task to its own adapter. It avoids the parts of axios that cost more than the
 * request itself: headers that no interceptor reads, and an AbortController for cancellation.
 */
import { CanceledError, type AxiosRequestConfig, type InternalAxiosRequestConfig } from 'axios';
import type { Cancellable } from '../request/upstream-answer.js';
import type { Received } from './receive.js';

/** How the first hop of a request ended. */
export type HopOutcome = { readonly received: Received } | { readonly error: Error };

export class Direct implements Cancellable {
  readonly headers: Readonly<Record<string, string>>;
  /**
   * The config that axios has built for the request; undefined before the request reaches the adapter, or if the
   * adapter cannot send it.
   */
  config: InternalAxiosRequestConfig | undefined;
  /** Called in the turn in which the adapter sends the request, before it does. */
  onConfig: (() => void) | undefined;
  error: Error | undefined;
  private readonly outcome: HopOutcome | undefined;
  private listener: ((error: Error) => void) | undefined;

  /** @param outcome of a first hop that was sent without axios. It is not sent again. */
  constructor(headers: Readonly<Record<string, string>>, outcome?: HopOutcome) {
    this.headers = headers;
    this.outcome = outcome;
  }

  /** For the adapter: the request is about to be sent. */
  reach(config: InternalAxiosRequestConfig): void {
    this.config = config;
    this.onConfig?.();
  }

  /** The answer to the first hop, or `ask()` if it was not sent yet. */
  async firstHop(ask: () => Promise<Received>): Promise<Received> {
    const { outcome } = this;
    if (outcome === undefined) return ask();
    if ('error' in outcome) throw outcome.error;
    return outcome.received;
  }

  /** One listener at a time: a request has one exchange in flight. */
  whenCancelled(listener: (error: Error) => void): () => void {
    this.listener = listener;
    return this.release;
  }

  abort(): void {
    this.error ??= new CanceledError();
    this.listener?.(this.error);
  }

  readonly release = (): void => {
    this.listener = undefined;
  };
}

interface WithDirect {
  direct?: Direct;
}

/** Adds the direct path to a config. axios passes unknown properties on to the adapter. */
export function withDirect(config: AxiosRequestConfig, direct: Direct): AxiosRequestConfig {
  (config as WithDirect).direct = direct;
  return config;
}

export function directOf(config: InternalAxiosRequestConfig): Direct | undefined {
  const { direct } = config as WithDirect;
  return direct instanceof Direct ? direct : undefined;
}
