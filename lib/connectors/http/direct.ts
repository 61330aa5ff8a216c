/**
 * The short way from a request task to its own adapter, past the parts of axios that cost more than the request: headers
 * of the call that no interceptor looks at, and a way to cancel it without an AbortController.
 */
import { CanceledError, type AxiosRequestConfig, type InternalAxiosRequestConfig } from 'axios';
import type { Cancellable } from './receive.js';

export class Direct implements Cancellable {
  readonly headers: Readonly<Record<string, string>>;
  error: Error | undefined;
  private listener: ((error: Error) => void) | undefined;

  constructor(headers: Readonly<Record<string, string>>) {
    this.headers = headers;
  }

  /** One listener at a time: a request has one exchange under way. */
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

/** A config that takes the short way; axios hands properties it does not know on to the adapter. */
export function withDirect(config: AxiosRequestConfig, direct: Direct): AxiosRequestConfig {
  (config as WithDirect).direct = direct;
  return config;
}

export function directOf(config: InternalAxiosRequestConfig): Direct | undefined {
  const { direct } = config as WithDirect;
  return direct instanceof Direct ? direct : undefined;
}
