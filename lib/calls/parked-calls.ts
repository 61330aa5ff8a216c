/**
 * Failed calls that wait for a verdict: they have no attempts left, or the upstream refused their credentials. The
 * cause may be the record or the upstream, and no other call has shown which of them it is.
 *
 * Guarantees: holds at most one window of calls. A call leaves once. Holds no timer.
 */
import type { Call } from './call.js';
import type { FailureKind } from './failure-kind.js';

/** A call whose last attempt in flight has failed. */
export interface FailedCall<In> {
  readonly call: Call<In>;
  readonly kind: FailureKind;
  readonly error: unknown;
  /** Whether the attempt was a probe of the circuit. */
  readonly isProbe: boolean;
}

/**
 * A refusal of access may concern single records. So it needs more evidence, by this factor, than a refusal of
 * credentials.
 */
const ACCESS_FACTOR = 25;

/** Whether the upstream refused the caller. */
export function isRefusal(kind: FailureKind): boolean {
  return kind === 'credentials' || kind === 'access';
}

export class ParkedCalls<In> {
  /** Whether a call has been answered since the last call was added. */
  hasAnswer = false;
  private readonly failures: number;
  private readonly calls = new Map<Call<In>, FailedCall<In>>();
  /** Refused calls among them. */
  private credentials = 0;
  private access = 0;
  private lastRefusal: unknown;

  /** @param failures the number of records in a row that is sufficient evidence. */
  constructor(failures: number) {
    this.failures = failures;
  }

  get size(): number {
    return this.calls.size;
  }

  add(failed: FailedCall<In>): void {
    this.hasAnswer = false;
    this.calls.set(failed.call, failed);
    this.count(failed, 1);
    if (isRefusal(failed.kind)) this.lastRefusal = failed.error;
  }

  /** Call when any call was answered. */
  recordAnswer(): void {
    if (this.calls.size > 0) this.hasAnswer = true;
  }

  remove(call: Call<In>): void {
    const failed = this.calls.get(call);
    if (failed === undefined) return;
    this.calls.delete(call);
    this.count(failed, -1);
  }

  /** Removes and returns the calls. @param keepsRefusals whether refused calls stay. */
  removeAll(keepsRefusals = false): FailedCall<In>[] {
    const removed = [...this.calls.values()].filter(({ kind }) => !keepsRefusals || !isRefusal(kind));
    for (const { call } of removed) this.remove(call);
    return removed;
  }

  /**
   * The last refusal, if the parked calls show that the upstream refuses all calls.
   *
   * @param isAll whether the upstream has answered no other call.
   */
  refusalOfAll(isAll: boolean): unknown {
    const { failures, credentials, access } = this;
    const refused = credentials + access;
    const isEnough = credentials >= failures || refused >= failures * ACCESS_FACTOR || (isAll && refused > 0);
    return isEnough ? this.lastRefusal : undefined;
  }

  clear(): void {
    this.calls.clear();
  }

  private count({ kind }: FailedCall<In>, by: number): void {
    if (kind === 'credentials') this.credentials += by;
    else if (kind === 'access') this.access += by;
  }
}
