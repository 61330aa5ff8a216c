/**
 * Checks a run every second: asserts the laws, triggers a measurement, and finds stalls.
 *
 * Guarantees: the law of conservation is asserted in production, at a cost that does not depend on the record rate; a
 * run that cannot continue fails, and the report names the task and the dependency that it waits for; if something
 * outside of the engine, such as the timer of an operator, may still move the run, the report is a notice and the run
 * continues.
 */
import { MillraceError } from '../../model/errors.js';
import type { Stall } from '../../model/events.js';
import { assertOver, quoted } from './assert-over.js';
import type { RunServices } from '../wiring/services.js';
import type { RunScope } from '../wiring/scope.js';
import type { Wiring } from '../wiring/wiring.js';

/**
 * The interval of the checks, in milliseconds of the run's clock. It grows up to the second value while nothing moves.
 */
const LOOK_EVERY_MS = 1000;
const LOOK_AT_LEAST_EVERY_MS = 60_000;
/** A measurement of a large graph takes long. The next one then waits this many times as long. */
const REST_AFTER_LOOK = 50;
/** A run counts as stalled after this many checks without movement. */
const STILL_LOOKS = 2;

/** The functions of the run that the watchdog calls. */
export interface WatchdogHooks {
  /** Called at every check, after the laws were checked. */
  readonly onLook: () => void;
  /** True while a checkpoint is in progress: sinks then wait for it, and nothing is stalled. */
  readonly isCheckpointing: () => boolean;
}

export class Watchdog {
  private readonly wiring: Wiring;
  private readonly services: RunServices;
  private readonly onLook: () => void;
  private readonly isCheckpointing: () => boolean;
  private cancel: (() => void) | undefined;
  private movement = -1;
  private stillLooks = 0;
  /** The groups of tasks that already had a notice. */
  private readonly noticed = new Set<string>();
  private everyMs = LOOK_EVERY_MS;

  constructor(wiring: Wiring, services: RunServices, { onLook, isCheckpointing }: WatchdogHooks) {
    this.wiring = wiring;
    this.services = services;
    this.onLook = onLook;
    this.isCheckpointing = isCheckpointing;
  }

  start(): void {
    this.startIn(this.everyMs);
  }

  private startIn(delayMs: number): void {
    const { clock } = this.services;
    this.cancel = clock.schedule(delayMs, () => {
      const fromMs = clock.monotonicMs();
      this.look();
      const restMs = Math.min(LOOK_AT_LEAST_EVERY_MS, (clock.monotonicMs() - fromMs) * REST_AFTER_LOOK);
      if (this.cancel !== undefined) this.startIn(Math.max(this.everyMs, restMs));
    });
  }

  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  /** Throws the error of the first law that does not hold. */
  assertLaws(): void {
    for (const scope of this.scopes()) scope.account.assertConservation();
    for (const root of this.wiring.activeRoots) root.assertConservation();
  }

  /** Throws the error of the first law that does not hold, or an error if the run has completed but is not over. */
  assertOver(): void {
    this.assertLaws();
    assertOver(this.wiring);
  }

  private look(): void {
    try {
      this.assertLaws();
    } catch (error) {
      this.services.fail(error);
      return;
    }
    this.onLook();
    this.lookForStall();
  }

  private lookForStall(): void {
    const movement = this.measureMovement();
    const isStill = movement === this.movement && !this.isCheckpointing();
    this.stillLooks = isStill ? this.stillLooks + 1 : 0;
    this.movement = movement;
    this.everyMs = this.stillLooks < STILL_LOOKS ? LOOK_EVERY_MS : Math.min(LOOK_AT_LEAST_EVERY_MS, this.everyMs * 2);
    if (this.stillLooks !== STILL_LOOKS) return;
    this.lookForOperators();
    if (!this.isStalled()) return;
    const stalled = this.explainStalls();
    const waits = stalled.map(({ task, lineage, waitsFor }) => {
      return `'${task}' waits for ${quoted(waitsFor)} with record ${lineage}`;
    });
    const roots = [...this.wiring.activeRoots].filter((root) => root.inFlight > 0);
    const full = roots.map((root) => `${root.inFlight} of ${root.window} records of '${root.name}'`).join(', ');
    const message = `Nothing is queued or running, and ${full} are in flight: ${waits.join('; ') || 'no task reports a reason'}`;
    if (this.mayMoveByItself()) {
      const who = stalled.map(({ task }) => task);
      this.noticeOnce(who, `${message}. A source or the timer of an operator may still move it`);
      return;
    }
    this.services.emit({ type: 'stall', at: this.services.clock.now(), stalled, message });
    this.services.fail(
      new MillraceError(
        'MILLRACE_STALLED',
        `The run stalled. ${message}. Check that every task emits or skips each record, or raise \`window\``,
      ),
    );
  }

  /** Emits a notice for these tasks, but only the first time. */
  private noticeOnce(who: readonly string[], message: string): void {
    const key = JSON.stringify(who);
    if (this.noticed.has(key)) return;
    this.noticed.add(key);
    this.services.emit({ type: 'notice', at: this.services.clock.now(), message });
  }

  /**
   * Reports operators that alone keep the run alive. Without this notice, a run that never ends would show no reason.
   */
  private lookForOperators(): void {
    const names = this.wiring.lastOperators.map(({ plan }) => plan.node.name);
    if (names.length === 0) return;
    this.noticeOnce(
      names,
      `Everything has been read and nothing is in flight, but the operator of ${names.map((name) => `'${name}'`).join(' and of ')} has not completed. ` +
        'It may wait for a timer; if it never completes, end it with its input (takeUntil, bufferTime) or drain the run',
    );
  }

  /**
   * True if records are in flight, no record is in work, and no source can emit more, or a task waits for a dependency.
   */
  private isStalled(): boolean {
    const inFlight = [...this.wiring.activeRoots].some((root) => root.inFlight > 0);
    const running = this.scopes().some((scope) => scope.account.inFlightByState.running > 0);
    const supplied = [...this.wiring.activeRoots].some(
      (root) => !root.isExhausted && root.room > 0 && this.isSource(root.name),
    );
    // Roots wait on purpose while the dead-letter store is full, and in a run that drains and can be resumed.
    if (this.services.deadLetters.isFull || !this.services.mayStart()) return false;
    return inFlight && !running && (!supplied || this.explainStalls().length > 0);
  }

  /** True if a source may push or an operator may have a timer: the stall may end by itself. */
  private mayMoveByItself(): boolean {
    return this.wiring.active.some(
      ({ plan, declaration, scope }) =>
        declaration.task.emitsOnItsOwn ||
        (plan.node.bearing === 'source' && !scope.root.isExhausted && scope.root.room > 0),
    );
  }

  private explainStalls(): Stall[] {
    return this.scopes().flatMap((scope) => {
      const waiting = scope.waitsFor();
      return waiting === undefined ? [] : [{ task: scope.task, lineage: waiting.lineage, waitsFor: waiting.for }];
    });
  }

  private measureMovement(): number {
    let sum = 0;
    for (const { account } of this.scopes()) sum += account.in + account.out + account.skipped + account.deadLettered;
    for (const root of this.wiring.activeRoots) sum += root.settled;
    return sum;
  }

  private isSource(root: string): boolean {
    return this.wiring.isPresent(root) && this.wiring.tasks.get(root)?.plan.node.bearing === 'source';
  }

  private scopes(): RunScope[] {
    return this.wiring.active.flatMap(({ scope, joinScope }) => (scope === joinScope ? [scope] : [joinScope, scope]));
  }
}
