/** The call for one record, its attempts, and the port to the transport that makes the attempts. */
import type { Lineage } from '../model/record.js';
import type { CallCounts } from '../model/call-event.js';
import type { RecordSpan } from '../model/ports.js';

/** Reported in place of an output: the call has not ended, and begins another round after the delay. */
export class Again {
  readonly delayMs: number;

  constructor(delayMs: number) {
    this.delayMs = delayMs;
  }
}

/** When a call, or a round of it, made its first attempt. */
export interface RoundStart {
  /** On the monotonic clock. */
  readonly firstAtMs: number;
  /** Milliseconds for which the circuit had been open before. */
  readonly pausedBeforeMs: number;
}

/** The call for one record, over all its attempts. */
export class Call<In> {
  readonly record: In;
  readonly lineage: Lineage;
  /** Attempts that count towards the retry policy. An attempt is uncounted if the upstream was down or overloaded. */
  attempts = 0;
  /** All attempts started, uncounted ones included. A hedge does not add one. */
  tries = 0;
  /** How often the upstream refused the call because of its load. */
  refusals = 0;
  /** Whether a first attempt was started. The times below do not show it, because a clock may stand at 0. */
  isBegun = false;
  /** The start of the first attempt: milliseconds since 1970, and on the monotonic clock. */
  firstAt = 0;
  firstAtMs = 0;
  /** Milliseconds for which the circuit had been open before the first attempt. */
  pausedBeforeMs = 0;
  /** The last failure that the upstream may be to blame for, on the monotonic clock; Infinity before. */
  failedAtMs = Infinity;
  /** Whether the record failed again after the upstream had answered other calls. */
  isSuspect = false;
  /** The number of the last streak of failures in which this record was counted. */
  streak = -1;
  /** Connections lost during this call, counted by the transport. A call with several losses is a suspect. */
  losses = 0;
  /** Attempts in flight: one, or two if the call is hedged. */
  readonly running: Attempt<In>[] = [];
  /** The span of a traced record, from the first attempt on. */
  span: RecordSpan | undefined;
  /** Cancels the timeout of the record, if it has one. */
  cancelTimeout: (() => void) | undefined;
  /** Whether the record has left the engine. */
  isOver = false;
  /** The start of the present round, in a call of several rounds; undefined in the first one. */
  round: RoundStart | undefined;
  /** Whether the next attempt begins a round. */
  isBetweenRounds = false;

  constructor(record: In, lineage: Lineage) {
    this.record = record;
    this.lineage = lineage;
  }
}

/** The permission to run one request. The attempts of a group share one permit. */
export interface Permit {
  /** Attempts of the request that have not ended. */
  left: number;
  /** Whether the request probes an upstream whose circuit is half-open. */
  isProbe: boolean;
  /** Whether an outcome proved something about the upstream. */
  isKnown: boolean;
}

/** One attempt of one call. */
export class Attempt<In> {
  readonly call: Call<In>;
  /** From 1, over all tries of the call. A hedge has the number of the attempt that it backs up. */
  readonly number: number;
  readonly isHedge: boolean;
  readonly permit: Permit;
  readonly startedAtMs: number;
  /** Whether the attempt was slow and so was considered for a hedge. */
  isHedged = false;
  isOver = false;
  /** Over, but its work may still run: the attempt keeps its permit until its report. */
  isAbandoned = false;
  /** The neighbours in start order, while the attempt is in flight. */
  previous: Attempt<In> | undefined;
  next: Attempt<In> | undefined;
  /** A value of the transport; the engine does not use it. */
  handle: unknown;

  constructor(call: Call<In>, number: number, isHedge: boolean, permit: Permit, startedAtMs: number) {
    this.call = call;
    this.number = number;
    this.isHedge = isHedge;
    this.permit = permit;
    this.startedAtMs = startedAtMs;
  }
}

/**
 * The port through which a transport reports the outcomes of attempts. If the attempt is already over, a result is
 * counted as late and dropped, and an error is dropped.
 */
export interface CallOutcomes<In, Out> {
  succeed(attempt: Attempt<In>, output: Out | Again): void;
  fail(attempt: Attempt<In>, error: unknown): void;
}

/**
 * The port to a transport, which makes attempts.
 *
 * Contract: `start` never throws. Each attempt gets one report, now or later; after `cancel` it gets none. All attempts
 * of one `start` were admitted together and may travel as one request. Attempts that fail for one common cause are
 * reported with the same error object.
 *
 * If `goesOn` is true, each attempt gets its one report also after `cancel`: the report means that the work has ended,
 * and its result does not count. The attempts of such a caller are started one by one.
 */
export interface Caller<In, Out> {
  start(attempts: readonly Attempt<In>[], outcomes: CallOutcomes<In, Out>): void;
  /** @param error the reason, for the code that runs the attempt. */
  cancel(attempt: Attempt<In>, reason: CancelReason, error: unknown): void;
  /** Called when a record has left, with its output or without one. */
  ended?(lineage: Lineage): void;
  /** Whether the work of an attempt may continue after `cancel`. Default false. */
  readonly goesOn?: boolean;
  /** Counts of the transport. */
  readonly counts?: CallCounts;
}

/**
 * `timeout`: the attempt took too long. `lost`: another attempt of the call succeeded first. `over`: the run has ended.
 */
export type CancelReason = 'timeout' | 'lost' | 'over';
