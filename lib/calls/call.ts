/**
 * One record on its way through an upstream, the attempts made for it, and the port by which attempts are made.
 */
import type { Lineage } from '../model/record.js';
import type { CallCounts } from '../model/call-event.js';
import type { RecordSpan } from '../model/ports.js';

/** One record that is asked about, over all its attempts. */
export class Call<In> {
  readonly record: In;
  readonly lineage: Lineage;
  /** Attempts made; those that failed because the upstream was down or busy are taken back. */
  attempts = 0;
  /** Tries begun, those that were taken back included; hedges are none of their own. */
  tries = 0;
  /** Times the upstream refused it because of its load. */
  refusals = 0;
  /** Whether a first attempt was made; times say nothing of it, a clock may stand at 0. */
  isBegun = false;
  /** Milliseconds since 1970, and of the monotonic clock, of the first attempt. */
  firstAt = 0;
  firstAtMs = 0;
  /** How long the task had been paused by then. */
  pausedBeforeMs = 0;
  /** Connections lost under it, counted by the transport: more than one makes it a suspect. */
  losses = 0;
  /** Attempts under way: one, or two where it is hedged. */
  readonly running: Attempt<In>[] = [];
  /** Of a record that is traced, from its first attempt on. */
  span: RecordSpan | undefined;
  /** The record's own timeout, if one is set. */
  cancelTimeout: (() => void) | undefined;
  isOver = false;

  constructor(record: In, lineage: Lineage) {
    this.record = record;
    this.lineage = lineage;
  }
}

/** Attempts that were started together as one request. */
export interface Flight {
  left: number;
  isProbe: boolean;
}

/** One try of one call. */
export class Attempt<In> {
  readonly call: Call<In>;
  /** From 1, of all tries of its call; a hedge has the number of the try it backs. */
  readonly number: number;
  readonly isHedge: boolean;
  readonly flight: Flight;
  readonly startedAtMs: number;
  isHedged = false;
  isOver = false;
  /** Over, but its work may go on: it holds its slot until its report. */
  isAbandoned = false;
  /** The neighbours in the order of starting, while it is under way. */
  previous: Attempt<In> | undefined;
  next: Attempt<In> | undefined;
  /** Whatever the transport needs to find it again. */
  handle: unknown;

  constructor(call: Call<In>, number: number, isHedge: boolean, flight: Flight, startedAtMs: number) {
    this.call = call;
    this.number = number;
    this.isHedge = isHedge;
    this.flight = flight;
    this.startedAtMs = startedAtMs;
  }
}

/**
 * Where a transport reports how attempts ended. Of attempts that are over, results are counted and dropped, and errors
 * dropped.
 */
export interface CallOutcomes<In, Out> {
  succeed(attempt: Attempt<In>, output: Out): void;
  fail(attempt: Attempt<In>, error: unknown): void;
}

/**
 * How attempts are made.
 *
 * Contract: `start` never throws; each attempt gets one report, now or later, unless `cancel` came first, after which
 * it gets none. All attempts of one `start` were let through together: they may travel as one request. What fails for
 * several attempts by one cause is reported with one and the same error object.
 *
 * Where `goesOn`, each attempt gets its one report also after `cancel`: it says that the work is over, whatever came of
 * it. Attempts of such a caller are started one by one.
 */
export interface Caller<In, Out> {
  start(attempts: readonly Attempt<In>[], outcomes: CallOutcomes<In, Out>): void;
  /** @param error says why, to whoever works on it. */
  cancel(attempt: Attempt<In>, reason: CancelReason, error: unknown): void;
  /** Whether the work of an attempt may go on after `cancel`. Default false. */
  readonly goesOn?: boolean;
  /** What the transport itself counted. */
  readonly counts?: CallCounts;
}

/** The attempt took too long; another try of the same call won; the run is over. */
export type CancelReason = 'timeout' | 'lost' | 'over';
