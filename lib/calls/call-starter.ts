/**
 * Starts the calls that the gate lets through: those that wait, alone or in groups, and second tries of slow ones.
 *
 * Promises: what is let through in one go is handed to the transport in one go; a long stretch yields to the event loop;
 * it may be asked at any time, any number of times, also by what it has just set off; nothing starts after `stop`.
 */
import type { TaskScope } from '../stream/task-scope.js';
import { Attempt, type Call, type Caller, type CallOutcomes, type Flight } from './call.js';
import type { CallGate } from './call-gate.js';
import { CallGrouping, type GroupOptions } from './call-grouping.js';
import type { Delays } from './delays.js';
import type { RunningAttempts } from './running-attempts.js';
import type { SlowCalls } from './slow-calls.js';
import type { WaitingCalls } from './waiting-calls.js';
import type { Skip } from '../model/record.js';

export interface StarterParts<In, Out> {
  readonly caller: Caller<In, Out | Skip>;
  readonly outcomes: CallOutcomes<In, Out | Skip>;
  readonly gate: CallGate;
  readonly waiting: WaitingCalls<In>;
  readonly running: RunningAttempts<In>;
  /** Set where slow calls get a second try. */
  readonly slow: SlowCalls<In> | undefined;
  readonly delays: Delays;
  readonly group: GroupOptions | undefined;
  readonly scope: TaskScope;
  /** A call starts for the first time. */
  readonly onFirst: (call: Call<In>, nowMs: number) => void;
  /** A call that waited for its turn had ended meanwhile. */
  readonly onMoot: () => void;
}

/** How many calls are started before a look whether the turn is long. */
const LOOK_EVERY = 64;

export class CallStarter<In, Out> {
  readonly counts = { attempts: 0, hedges: 0 };
  private readonly parts: StarterParts<In, Out>;
  private readonly grouping: CallGrouping | undefined;
  private isPumping = false;
  private isDeferred = false;
  private isInputOver = false;
  private isStopped = false;

  constructor(parts: StarterParts<In, Out>) {
    this.parts = parts;
    const { group, scope, delays } = parts;
    if (group === undefined) return;
    this.grouping = new CallGrouping(group, scope.clock, delays, () => {
      this.pump();
    });
  }

  /** Starts what may start. */
  pump(): void {
    if (this.isPumping || this.isStopped || this.isDeferred) return;
    this.isPumping = true;
    try {
      const nowMs = this.parts.scope.clock.monotonicMs();
      this.startAll(nowMs);
      this.parts.scope.account.mark(nowMs);
    } finally {
      this.isPumping = false;
    }
  }

  /** No more records will come: nobody waits for company any longer. */
  finish(): void {
    this.isInputOver = true;
    this.pump();
  }

  stop(): void {
    this.isStopped = true;
  }

  private startAll(nowMs: number): void {
    const { grouping } = this;
    const { caller, outcomes, gate, waiting, scope, onMoot } = this.parts;
    const singles: Attempt<In>[] = [];
    if (!this.startHedges(nowMs)) return;
    for (let begun = 0; waiting.size > 0 && !this.hasEnded(); begun++) {
      if (begun % LOOK_EVERY === LOOK_EVERY - 1 && scope.turn.isLong()) {
        this.deferPump();
        break;
      }
      const size = grouping?.sizeOf(waiting.size, this.isInputOver) ?? 1;
      if (size === 0) break;
      const flight = gate.enter(size, nowMs);
      if (flight === undefined) break;
      grouping?.leave();
      const attempts = grouping === undefined ? singles : [];
      for (let i = 0; i < size; i++) {
        const call = waiting.next(gate.circuit?.state === 'half-open');
        // Timed out while it waited for its turn: it has left already, its place is given back.
        if (call.isOver) {
          gate.leave(flight);
          onMoot();
        } else attempts.push(this.begin(call, flight, nowMs));
      }
      if (attempts !== singles && attempts.length > 0) caller.start(attempts, outcomes);
    }
    if (singles.length > 0 && !this.hasEnded()) caller.start(singles, outcomes);
  }

  private begin(call: Call<In>, flight: Flight, nowMs: number): Attempt<In> {
    if (!call.isBegun) this.parts.onFirst(call, nowMs);
    call.attempts++;
    return this.launch(new Attempt(call, ++call.tries, false, flight, nowMs), nowMs);
  }

  private launch(attempt: Attempt<In>, nowMs: number): Attempt<In> {
    this.counts.attempts++;
    attempt.call.running.push(attempt);
    this.parts.running.add(attempt, nowMs);
    return attempt;
  }

  /** Second tries beside slow first ones: the next free slots are theirs. False while one waits for its slot. */
  private startHedges(nowMs: number): boolean {
    const { caller, outcomes, gate, slow } = this.parts;
    for (let late = slow?.next; late !== undefined; late = slow?.next) {
      const flight = gate.enter(1, nowMs);
      if (flight === undefined) return false;
      slow?.shift();
      this.counts.hedges++;
      const { call, number } = late;
      caller.start([this.launch(new Attempt(call, number, true, flight, nowMs), nowMs)], outcomes);
    }
    return true;
  }

  /** Asked anew after every call out: the run may have ended meanwhile. */
  private hasEnded(): boolean {
    return this.isStopped;
  }

  private deferPump(): void {
    this.isDeferred = true;
    this.parts.scope.turn.defer(() => {
      this.isDeferred = false;
      this.pump();
    });
  }
}
