/**
 * The end of a run that drains: finds the moment when all records whose work had started have settled, and bounds the
 * time until then.
 *
 * Guarantees: a run that can be resumed ends as soon as nothing is running, although records whose work had not started
 * are left; a run that still works after the grace is aborted. After `stop` no timer is left.
 */
import type { Clock } from '../../model/ports.js';
import { describeMs } from '../../text/quantities.js';
import type { Wiring } from '../wiring/wiring.js';

/** Options of `Run.drain`. */
export interface DrainOptions {
  /**
   * The milliseconds after which the run is aborted, if it has not ended by then. Default: `graceMs` of the run, or no
   * limit.
   */
  readonly graceMs?: number | undefined;
}

export interface DrainingParts extends DrainOptions {
  readonly clock: Clock;
  readonly wiring: Wiring;
  /** Whether records that have not started stay for the resumed run. */
  readonly letsGo: () => boolean;
  /** True while something outside of the tasks holds them back, such as a checkpoint. */
  readonly isHeldBack: () => boolean;
  /** Called once if records were released and everything else has settled. */
  readonly onRest: () => void;
  /** Called once, with the reason, if the grace is over. */
  readonly onGraceOver: (reason: string) => void;
}

/** The interval of the checks whether anything still runs, in milliseconds. */
const LOOK_EVERY_MS = 20;
/** A run is at rest after this many checks without movement. */
const STILL_LOOKS = 2;
/** The same if an operator of the user, whose timers cannot be seen, has not completed. */
const STILL_LOOKS_WITH_OPERATORS = 50;

export class Draining {
  private readonly parts: DrainingParts;
  private readonly cancels = new Set<() => void>();
  private movement = -1;
  private stillLooks = 0;

  constructor(parts: DrainingParts) {
    this.parts = parts;
    const { graceMs = Infinity } = parts;
    if (Number.isFinite(graceMs)) {
      this.after(graceMs, () => {
        parts.onGraceOver(`The grace of ${describeMs(graceMs)} is over: the records still in flight are aborted`);
      });
    }
    this.lookAgain();
  }

  stop(): void {
    for (const cancel of this.cancels) cancel();
    this.cancels.clear();
  }

  private lookAgain(): void {
    this.after(LOOK_EVERY_MS, () => {
      if (this.isAtRest()) this.parts.onRest();
      else this.lookAgain();
    });
  }

  private isAtRest(): boolean {
    const { wiring, letsGo, isHeldBack } = this.parts;
    if (!letsGo() || isHeldBack()) return false;
    let running = 0;
    let movement = 0;
    for (const { scope, joinScope } of wiring.tasks.values()) {
      for (const { account } of scope === joinScope ? [scope] : [joinScope, scope]) {
        const { queued, running: started, waiting } = account.inFlightByState;
        running += started;
        movement += account.in + account.out + account.skipped + account.deadLettered + queued + waiting;
      }
    }
    for (const root of wiring.roots.values()) movement += root.settled;
    const isStill = running === 0 && movement === this.movement;
    this.movement = movement;
    this.stillLooks = isStill ? this.stillLooks + 1 : 0;
    return this.stillLooks >= (this.hasOpenOperator() ? STILL_LOOKS_WITH_OPERATORS : STILL_LOOKS);
  }

  private hasOpenOperator(): boolean {
    const { active, over } = this.parts.wiring;
    return active.some(({ plan, declaration }) => declaration.task.emitsOnItsOwn && !over.has(plan.node.name));
  }

  private after(delayMs: number, action: () => void): void {
    const cancelTimer = this.parts.clock.schedule(delayMs, () => {
      this.cancels.delete(cancel);
      action();
    });
    const cancel = (): void => {
      cancelTimer();
    };
    this.cancels.add(cancel);
  }
}
