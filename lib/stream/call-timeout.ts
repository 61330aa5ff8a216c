/** How long one attempt, and all attempts of one record together, may take. */
import { checkKeys, checkNumber, describeMs } from './policy.js';

export interface TimeoutOptions {
  /** The most milliseconds of one attempt, from its start to the last byte of the answer. Default 30,000. */
  readonly attemptMs?: number;
  /** The most milliseconds of a record, from its first attempt on, waits included, pauses of the task not. Default: none. */
  readonly recordMs?: number;
}

export class CallTimeout {
  readonly kind = 'timeout';
  readonly attemptMs: number;
  readonly recordMs: number;

  constructor({ attemptMs = 30_000, recordMs = Infinity, ...rest }: TimeoutOptions = {}) {
    checkKeys('A call timeout', rest, []);
    checkNumber('attemptMs', attemptMs, 1);
    checkNumber('recordMs', recordMs, 1, Infinity);
    this.attemptMs = attemptMs;
    this.recordMs = recordMs;
  }

  toString(): string {
    const record = Number.isFinite(this.recordMs) ? `, ${describeMs(this.recordMs)} a record` : '';
    return `timeout ${describeMs(this.attemptMs)} an attempt${record}`;
  }
}

/** @example callTimeout({ attemptMs: 2000, recordMs: 60_000 }) */
export function callTimeout(options?: TimeoutOptions): CallTimeout {
  return new CallTimeout(options);
}
