/**
 * The fast path from a request task to its own adapter. It avoids the parts of axios that cost more than the request itself:
 * headers that no interceptor reads, and an AbortController for cancellation.
 */
import { CanceledError, type AxiosRequestConfig, type InternalAxiosRequestConfig } from 'axios';
import type { Cancellable } from '../request/upstream-answer.js';

export class Direct implements Cancellable {
  readonly headers: Readonly<Record<string, string>>;
  error: Error | undefined;
  private listener: ((error: Error) => void) | undefined;

  constructor(headers: Readonly<Record<string, string>>) {
    this.headers = headers;
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

/** Puts a config on the fast path. axios passes unknown properties on to the adapter. */
export function withDirect(config: AxiosRequestConfig, direct: Direct): AxiosRequestConfig {
  (config as WithDirect).direct = direct;
  return config;
}

export function directOf(config: InternalAxiosRequestConfig): Direct | undefined {
  const { direct } = config as WithDirect;
  return direct instanceof Direct ? direct : undefined;
}
