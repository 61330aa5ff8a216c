/**
 * The pace of the calls to an upstream that refuses calls for its load (429), learned from what it accepts.
 *
 * Calls are not paced until refusals are a considerable share of the outcomes. Then calls start evenly, at a rate that
 * is found by search, in epochs of a second or more. An epoch without refusals shows a rate that is low enough. An
 * epoch with refusals shows a rate that is too high. The next rate lies between the two. When the two are close, the
 * lower one is kept, and a higher rate is tried some epochs later. Each time that the higher rate fails near the same
 * limit, the number of epochs until the next try doubles. If the upstream has refused all calls, the rate starts low
 * and doubles until the first refusal.
 *
 * Guarantees: it has no timer, the caller passes the time. It never holds back a task whose calls are all accepted.
 */

/** The shortest epoch, in milliseconds. Limits are usually counted per second. */
const EPOCH_MS = 1000;
/** The longest epoch, in milliseconds, and the outcomes that end an epoch before. */
const MAX_EPOCH_MS = 8000;
const EPOCH_OUTCOMES = 8;
/** An epoch also ends after this many refusals, if they are half of its outcomes: each further call would cost as much. */
const ENOUGH_REFUSALS = 2;
/**
 * After a call was accepted, the upstream may refuse all others until its window ends, in milliseconds: blocks in this
 * time prove nothing about the rate.
 */
const EXHAUSTED_MS = 2 * EPOCH_MS;
/** Pacing begins after this many refusals in an epoch, if they are this share of its outcomes. */
const MIN_REFUSALS = 4;
const MIN_SHARE = 0.1;
/** Refusals below this share of the outcomes of an epoch do not reduce the rate. */
const CALM_SHARE = 0.03;
/** The rate that was accepted in an epoch with refusals, times this factor, counts as low enough. */
const BELOW = 0.95;
/** The search ends when the rates that are too high and low enough differ by this factor. */
const CLOSE = 1.08;
/**
 * The factors by which the rate rises when a higher one is tried: at the first step, and at each later epoch without
 * refusals.
 */
const FIRST_STEP = 1.08;
const NEXT_STEP = 1.4;
/**
 * The shortest time between two doublings, in milliseconds: an upstream that counts per window accepts too high a rate
 * until the window is full.
 */
const DOUBLE_MS = 250;
/** The most tokens, in milliseconds of the rate: calls that a late timer delayed may catch up by this much. */
const BURST_MS = 4;
/** Records per millisecond: the lowest rate is one per minute, and one per second after a pause. */
const MIN_RATE = 1 / 60_000;
const START_RATE = 1 / 1000;
/** The shortest time over which a rate is measured, in milliseconds: a shorter one would measure a burst. */
const SHORTEST_MS = 50;
/** Pacing ends after this many epochs in a row in which it held back no call. */
const IDLE_EPOCHS = 5;
const MAX_HOLD_EPOCHS = 32;

export class Pace {
  /** Records per millisecond; Infinity while calls are not paced. */
  private rate = Infinity;
  private tokens = 0;
  private atMs = 0;
  /** Outcomes of calls that started before this time are ignored, because those calls had another rate. */
  private sinceMs = -Infinity;
  /** The epoch: its start, its outcomes, and whether the pace held a call back in it. */
  private startMs: number | undefined;
  private accepted = 0;
  private refused = 0;
  private hasHeldBack = false;
  private idleEpochs = 0;
  /** The highest rate that was low enough, and the lowest that was too high. */
  private low = 0;
  private high = Infinity;
  private step = FIRST_STEP;
  /** Whether the rate doubles while calls are accepted, and the time of the last doubling. */
  private isStarting = false;
  private doubledAtMs = 0;
  /** Whether the rate is to be computed when the next call starts, because the task has paused. */
  private isPaused = false;
  /** Whether a call was accepted since the last pause, and the time of the last accepted call. */
  private hasAccepted = false;
  private acceptedAtMs = -Infinity;
  /** The time of the last block, and the number of records accepted since. */
  private blockedAtMs = 0;
  private acceptedSinceBlock = 0;
  /** Whether no block has been measured since the last pause. */
  private isFirstBlock = false;
  /** Epochs to wait before a higher rate is tried, and those that are left. */
  private holdEpochs = 1;
  private holdLeft = 0;

  /** 0 if these records may start now, otherwise the milliseconds until they may. */
  acquire(records: number, nowMs: number): number {
    this.startMs ??= nowMs;
    if (this.isPaused) this.restart(nowMs);
    if (this.rate === Infinity) return 0;
    const most = Math.max(1, this.rate * BURST_MS);
    this.tokens = Math.min(most, this.tokens + (nowMs - this.atMs) * this.rate);
    this.atMs = nowMs;
    const wanted = Math.min(records, most);
    // Rounding errors in sums of fractions must not keep a call waiting.
    if (this.tokens >= wanted - 1e-9) {
      this.tokens -= records;
      return 0;
    }
    this.hasHeldBack = true;
    return (wanted - this.tokens) / this.rate;
  }

  /** Call if the records did not start after all. */
  giveBack(records: number): void {
    if (this.rate !== Infinity) this.tokens += records;
  }

  /** Call when a record was accepted, even if its answer is a failure. */
  recordAccepted(startedAtMs: number, nowMs: number): void {
    if (startedAtMs < this.sinceMs) return;
    this.accepted++;
    this.acceptedAtMs = nowMs;
    this.acceptedSinceBlock++;
    this.hasAccepted = true;
    // Calls that started before the last doubling prove nothing about the present rate.
    if (this.isStarting && startedAtMs >= this.doubledAtMs && nowMs >= this.doubledAtMs + DOUBLE_MS) {
      this.rate *= 2;
      this.doubledAtMs = nowMs;
    }
    this.endEpochIfDue(nowMs);
  }

  /** Call when a record was refused. */
  recordRefused(startedAtMs: number, nowMs: number): void {
    if (startedAtMs < this.sinceMs) return;
    this.refused++;
    if (this.isStarting && this.accepted > 0) {
      this.slowDown(this.rate / 2, nowMs);
      return;
    }
    if (this.rate === Infinity && this.refused >= MIN_REFUSALS && this.refused >= MIN_SHARE * this.accepted) {
      // While no call is accepted, the task pauses, and pacing begins after the pause.
      if (this.accepted > 0) this.setRate(this.measured(nowMs), nowMs);
      return;
    }
    this.endEpochIfDue(nowMs);
  }

  /**
   * Call when several calls in a row were refused. Returns the longest time in milliseconds for which the task should
   * pause: Infinity if calls are not paced yet, or if no call was accepted since the last block.
   */
  recordBlock(nowMs: number): number {
    if (this.rate !== Infinity && !this.hasAccepted && nowMs - this.acceptedAtMs < EXHAUSTED_MS) {
      this.sinceMs = nowMs;
      this.beginEpoch(nowMs);
      return EPOCH_MS;
    }
    if (this.rate === Infinity || !this.hasAccepted) {
      this.isPaused = true;
      return Infinity;
    }
    this.hasAccepted = false;
    const lengthMs = nowMs - this.blockedAtMs;
    // An upstream that counts per window accepts a burst and then nothing: only the mean over a window shows its limit.
    const isMeasured = lengthMs >= EPOCH_MS;
    const mean = (this.acceptedSinceBlock / lengthMs) * BELOW;
    const isSurmise = this.isFirstBlock && this.acceptedSinceBlock < EPOCH_OUTCOMES;
    this.blockedAtMs = nowMs;
    this.acceptedSinceBlock = 0;
    if (isMeasured) this.low = 0;
    this.slowDown(isMeasured ? Math.min(mean, this.rate / 2) : this.rate / 2, nowMs);
    if (!isMeasured) return EPOCH_MS;
    this.isFirstBlock = false;
    this.setRate(Math.max(this.low, mean), nowMs);
    // After a pause the calls may have been too few to reach the limit, because their records waited for a Retry-After.
    if (isSurmise) this.double(nowMs);
    return EPOCH_MS;
  }

  /**
   * Sets the rate for the first call after a pause: the accepted rate, or half of the last one. It doubles while calls
   * are accepted.
   */
  private restart(nowMs: number): void {
    const rate = this.rate === Infinity ? this.measured(nowMs) : this.rate / 2;
    this.isPaused = false;
    this.hasAccepted = false;
    this.blockedAtMs = nowMs;
    this.acceptedSinceBlock = 0;
    this.isFirstBlock = true;
    this.double(nowMs);
    this.setRate(Math.max(START_RATE, rate), nowMs);
    // The first call after the pause does not wait.
    this.tokens = 1;
  }

  /** Begins to double the rate while calls are accepted. */
  private double(nowMs: number): void {
    this.isStarting = true;
    this.doubledAtMs = nowMs;
    this.low = 0;
    this.high = Infinity;
  }

  /** Records per millisecond that were accepted in this epoch. */
  private measured(nowMs: number): number {
    return this.accepted / Math.max(SHORTEST_MS, nowMs - (this.startMs ?? nowMs));
  }

  /** Begins a new epoch with this rate. */
  private setRate(rate: number, nowMs: number): void {
    if (this.rate === Infinity) {
      this.tokens = 0;
      // The calls accepted before, perhaps a burst, are no evidence of the rate.
      this.blockedAtMs = nowMs;
      this.acceptedSinceBlock = 0;
    }
    this.rate = Math.max(MIN_RATE, rate);
    this.sinceMs = nowMs;
    this.atMs = nowMs;
    this.idleEpochs = 0;
    this.beginEpoch(nowMs);
  }

  private beginEpoch(nowMs: number): void {
    this.startMs = nowMs;
    this.accepted = 0;
    this.refused = 0;
    this.hasHeldBack = false;
  }

  private endEpochIfDue(nowMs: number): void {
    const lengthMs = nowMs - (this.startMs ?? nowMs);
    const outcomes = this.accepted + this.refused;
    const isRefused = this.refused >= ENOUGH_REFUSALS && this.refused * 2 >= outcomes;
    if (lengthMs < EPOCH_MS || (outcomes < EPOCH_OUTCOMES && lengthMs < MAX_EPOCH_MS && !isRefused)) return;
    const { accepted, refused, hasHeldBack } = this;
    if (this.rate !== Infinity && !this.isStarting) {
      if (refused > CALM_SHARE * outcomes) {
        this.slowDown((accepted / lengthMs) * BELOW, nowMs);
        return;
      }
      this.speedUp(hasHeldBack);
    }
    this.beginEpoch(nowMs);
  }

  /**
   * Lowers the rate, because it was too high. `accepted` is the rate of the calls that were accepted in the meantime.
   */
  private slowDown(accepted: number, nowMs: number): void {
    const isProbe = this.rate > this.low && this.low > 0;
    // The rate that was low enough before is too high now.
    if (!isProbe) this.low = 0;
    this.high = this.rate;
    this.low = Math.max(this.low, Math.min(accepted, this.high / CLOSE));
    this.holdEpochs = isProbe && this.isClose ? Math.min(MAX_HOLD_EPOCHS, this.holdEpochs * 2) : 1;
    this.holdLeft = this.holdEpochs;
    this.step = FIRST_STEP;
    this.isStarting = false;
    this.setRate(this.between, nowMs);
  }

  private speedUp(hasHeldBack: boolean): void {
    this.idleEpochs = hasHeldBack ? 0 : this.idleEpochs + 1;
    if (this.idleEpochs >= IDLE_EPOCHS) {
      this.rate = Infinity;
      this.low = 0;
      this.high = Infinity;
    }
    if (!hasHeldBack) return;
    this.low = Math.max(this.low, this.rate);
    if (this.low < this.high && !this.isClose) this.rate = this.between;
    else if (this.holdLeft > 0) this.holdLeft--;
    else {
      this.high = Infinity;
      this.rate *= this.step;
      this.step = NEXT_STEP;
    }
  }

  private get isClose(): boolean {
    return this.high <= this.low * CLOSE * CLOSE;
  }

  /** The next rate of the search. */
  private get between(): number {
    if (this.high === Infinity) return this.low * this.step;
    return this.isClose ? this.low : (this.low + this.high) / 2;
  }
}
