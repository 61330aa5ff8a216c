/**
 * Looks at a run once a second: asserts the laws, has it measured, and finds stalls.
 *
 * Promises: the law of conservation is asserted in production, at a cost that does not depend on the record rate; a run
 * that cannot go on is reported with the task and the dependency it waits for, and failed; one that only something out of
 * sight can move, such as the timer of an operator, is a notice and goes on.
 */
import { MillraceError } from '../../model/errors.js';
import type { Stall } from '../../model/events.js';
import { assertOver, quoted } from './assert-over.js';
import type { RunServices } from '../wiring/services.js';
import type { RunScope } from '../wiring/scope.js';
import type { Wiring } from '../wiring/wiring.js';

/** How often to look, in milliseconds of the run's clock: every second, and less and less often while nothing moves. */
const LOOK_EVERY_MS = 1000;
const LOOK_AT_LEAST_EVERY_MS = 60_000;
/** Looks without any movement until it counts as a stall. */
const STILL_LOOKS = 2;

export class Watchdog {
  private readonly wiring: Wiring;
  private readonly services: RunServices;
  private readonly tell: () => void;
  private cancel: (() => void) | undefined;
  private movement = -1;
  private stillLooks = 0;
  /** Who was told to be quiet. */
  private readonly told = new Set<string>();
  private everyMs = LOOK_EVERY_MS;

  /** @param tell called at every look, when the laws have held. */
  constructor(wiring: Wiring, services: RunServices, tell: () => void) {
    this.wiring = wiring;
    this.services = services;
    this.tell = tell;
  }

  start(): void {
    this.cancel = this.services.clock.schedule(this.everyMs, () => {
      this.look();
      if (this.cancel !== undefined) this.start();
    });
  }

  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  /** Throws the first law that does not hold. */
  assertLaws(): void {
    for (const scope of this.scopes()) scope.account.assertConservation();
    for (const root of this.wiring.roots.values()) root.assertConservation();
  }

  /** Throws the first law that does not hold, and where a run that says it is over is not. */
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
    this.tell();
    this.lookForStall();
  }

  private lookForStall(): void {
    const movement = this.measureMovement();
    this.stillLooks = movement === this.movement ? this.stillLooks + 1 : 0;
    this.movement = movement;
    this.everyMs = this.stillLooks < STILL_LOOKS ? LOOK_EVERY_MS : Math.min(LOOK_AT_LEAST_EVERY_MS, this.everyMs * 2);
    if (this.stillLooks !== STILL_LOOKS) return;
    this.lookForOperators();
    if (!this.isStalled()) return;
    const stalled = this.explainStalls();
    const waits = stalled.map(({ task, lineage, waitsFor }) => {
      return `'${task}' waits for ${quoted(waitsFor)} with record ${lineage}`;
    });
    const roots = [...this.wiring.roots.values()].filter((root) => root.inFlight > 0);
    const full = roots.map((root) => `${root.inFlight} of ${root.window} records of '${root.name}'`).join(', ');
    const message = `Nothing is queued or running, and ${full} are in flight: ${waits.join('; ') || 'no task says what it waits for'}`;
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

  /** Whoever is quiet now and then is no news the second time. */
  private noticeOnce(who: readonly string[], message: string): void {
    const key = JSON.stringify(who);
    if (this.told.has(key)) return;
    this.told.add(key);
    this.services.emit({ type: 'notice', at: this.services.clock.now(), message });
  }

  /** An operator that never completes keeps a run alive for ever, and nobody would say why. */
  private lookForOperators(): void {
    const names = this.wiring.lastOperators.map(({ plan }) => plan.node.name);
    if (names.length === 0) return;
    this.noticeOnce(
      names,
      `Everything has been read and nothing is in flight, but the operator of ${names.map((name) => `'${name}'`).join(' and of ')} has not completed. ` +
        'It may wait for a timer; if it never completes, end it with its input (takeUntil, bufferTime) or drain the run',
    );
  }

  /** Something is in flight, and no root with records to give has room for them. */
  private isStalled(): boolean {
    const inFlight = [...this.wiring.roots.values()].some((root) => root.inFlight > 0);
    const running = this.scopes().some((scope) => scope.account.held.running > 0);
    const supplied = [...this.wiring.roots.values()].some(
      (root) => !root.isExhausted && root.room > 0 && this.isSource(root.name),
    );
    // While dead letters cannot be written fast enough, roots wait on purpose.
    if (this.services.deadLetters.isFull) return false;
    return inFlight && !running && (!supplied || this.explainStalls().length > 0);
  }

  /** A source may push, or an operator may have a timer: then what looks like a stall may end by itself. */
  private mayMoveByItself(): boolean {
    return [...this.wiring.tasks.values()].some(
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
    for (const root of this.wiring.roots.values()) sum += root.settled;
    return sum;
  }

  private isSource(root: string): boolean {
    return this.wiring.tasks.get(root)?.plan.node.bearing === 'source';
  }

  private scopes(): RunScope[] {
    return [...this.wiring.tasks.values()].flatMap(({ scope, joinScope }) =>
      scope === joinScope ? [scope] : [joinScope, scope],
    );
  }
}
