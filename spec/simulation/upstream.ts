/**
 * An upstream in memory, and a task that calls it through the engine's own call layer.
 *
 * Promise: the tries of one call that fail on purpose are fewer than its attempts, over all incarnations of the run
 * together, so what comes out is decided by the record alone; replies come late, twice, out of order, not at all, and
 * to the dead.
 */
import type { OperatorFunction } from 'rxjs';
import { BaseTask, UpstreamError, type FailurePolicy, type RunEvent, type Skip, type TaskScope } from 'millrace';
import { CallIdentity } from '#lib/connectors/request/request-identity.js';
import { policiesOf } from '#lib/connectors/request/request-options.js';
import type { Batch } from '#lib/model/record.js';
import type { Attempt, Caller, CallOutcomes } from '#lib/calls/call.js';
import { mapCalls } from '#lib/calls/map-calls.js';
import type { Value, Work } from '../support/random-tasks.js';
import type { Incarnation } from './incarnation.js';
import type { World } from './world.js';

const TIMEOUT_MS = 400;
const FAULTS = ['error', 'hang', 'lost reply', 'late reply', 'busy'] as const;

/** What the upstream knows of a call, by its idempotency key. */
interface Known {
  readonly body: string;
  faults: number;
}

export class Upstream {
  private readonly world: World;
  private readonly known = new Map<string, Known>();
  /** Tries by incarnation and key, those that are taken back left out. */
  private readonly tries = new Map<string, number>();

  /** By incarnation, task and lineage, the moment before which there is to be no other try. */
  private readonly notBefore = new Map<string, number>();

  /**
   * Whether one key must stand for one body in all incarnations. It need not where results are made anew from other
   * records.
   */
  private readonly keepsBodies: boolean;

  constructor(world: World, keepsBodies = true) {
    this.world = world;
    this.keepsBodies = keepsBodies;
  }

  /** The run has said when it tries again. */
  heard(incarnation: Incarnation, event: RunEvent): void {
    if (event.type !== 'retry') return;
    this.notBefore.set(`${incarnation.number} ${event.task} ${event.lineage}`, event.at + event.delayMs);
  }

  call(
    incarnation: Incarnation,
    key: string,
    attempt: Attempt<Value>,
    task: CallTask,
    outcomes: CallOutcomes<Value, Value>,
  ): void {
    const { world } = this;
    const { attempts, faultRate } = task.traits;
    const body = JSON.stringify(attempt.call.record);
    const known = this.known.get(key) ?? { body, faults: 0 };
    this.known.set(key, known);
    if (this.keepsBodies && known.body !== body)
      world.broken(`one idempotency key for two records: ${key} is ${known.body} and ${body}`);
    this.countTry(incarnation, key, attempt, task);
    const reply = (delayMs: number, report: () => void): void => {
      world.clock.schedule(delayMs, () => {
        if (incarnation.isDead) world.count('reply to a dead incarnation');
        else {
          world.step(incarnation);
          report();
        }
      });
    };
    const fail = (error: unknown): void => {
      outcomes.fail(attempt, error);
    };
    const answer = (): void => {
      let output: Value;
      try {
        output = task.traits.work(attempt.call.record);
      } catch (error) {
        // A stubborn upstream says each time that it may pass.
        const passes = new UpstreamError('MILLRACE_RPC', 'no', { blame: 'record', retryable: true, cause: error });
        fail(task.traits.isStubborn ? passes : error);
        return;
      }
      outcomes.succeed(attempt, output);
    };
    const usualMs = world.below(100);
    if (known.faults >= attempts - 1 || !world.chance(faultRate)) {
      reply(usualMs, answer);
      if (!world.chance(0.1)) return;
      world.count('duplicate reply');
      reply(usualMs + world.below(TIMEOUT_MS), answer);
      return;
    }
    known.faults++;
    const fault = world.pick(FAULTS);
    world.count(fault);
    if (fault === 'late reply') reply(TIMEOUT_MS + 1 + world.below(500), answer);
    else if (fault === 'error') {
      reply(usualMs, () => {
        fail(new UpstreamError('MILLRACE_NETWORK', 'reset', { blame: 'upstream', retryable: true }));
      });
    } else if (fault === 'busy') {
      this.takeBack(incarnation, key);
      reply(usualMs, () => {
        const details = { blame: 'load', retryable: true, status: 429, retryAfterMs: world.below(300) } as const;
        fail(new UpstreamError('MILLRACE_HTTP_STATUS', 'busy', details));
      });
    }
  }

  private countTry(incarnation: Incarnation, key: string, attempt: Attempt<Value>, { traits }: CallTask): void {
    if (attempt.isHedge) return;
    const id = `${incarnation.number} ${key}`;
    const tries = (this.tries.get(id) ?? 0) + 1;
    this.tries.set(id, tries);
    const notBefore = this.notBefore.get(`${incarnation.number} ${traits.name} ${attempt.call.lineage}`) ?? 0;
    // Moments of the calendar hold no fractions of a millisecond worth the name.
    if (this.world.clock.now() < notBefore - 0.01) {
      this.world.broken(`L7: '${traits.name}' tries record ${attempt.call.lineage} again before its delay is over`);
    }
    // Tries that were taken back are no attempts.
    const { attempts } = attempt.call;
    const most = traits.hasBreaker ? Math.max(attempts, 1) : tries;
    if (most > traits.attempts || attempts > traits.attempts) {
      this.world.broken(`L7: '${traits.name}' makes attempt ${most} of a record, and may make ${traits.attempts}`);
    }
  }

  /** It was refused before anything was done: that is no attempt. */
  private takeBack(incarnation: Incarnation, key: string): void {
    const id = `${incarnation.number} ${key}`;
    this.tries.set(id, (this.tries.get(id) ?? 1) - 1);
  }
}

export interface CallTraits {
  readonly name: string;
  readonly work: Work;
  readonly onFailure: FailurePolicy<Value>;
  readonly concurrency: number;
  readonly ordered: boolean;
  readonly attempts: number;
  readonly hasBreaker: boolean;
  readonly hedges: boolean;
  /** Whether what it refuses is asked again until the attempts are used up. */
  readonly isStubborn: boolean;
  /** How often the upstream fails on purpose. */
  readonly faultRate: number;
}

/** Called when the first attempt of a record begins. */
export type CallStarted = (lineage: number, record: Value, key: string) => void;

/** Asks the upstream about each record. */
export class CallTask extends BaseTask<Value, Value> {
  override readonly kind = 'call';
  readonly traits: CallTraits;
  private readonly upstream: Upstream;
  private readonly incarnation: Incarnation;
  private readonly onStart: CallStarted;

  constructor(traits: CallTraits, upstream: Upstream, incarnation: Incarnation, onStart: CallStarted) {
    super({ onFailure: traits.onFailure });
    this.traits = traits;
    this.upstream = upstream;
    this.incarnation = incarnation;
    this.onStart = onStart;
  }

  override operator(scope: TaskScope): OperatorFunction<Batch<Value>, Batch<Value>> {
    const { concurrency, ordered, attempts, hasBreaker, hedges, name } = this.traits;
    const identity = new CallIdentity(scope);
    const begun = new WeakSet<object>();
    const caller: Caller<Value, Value | Skip> = {
      start: (started, outcomes) => {
        for (const attempt of started) {
          const { lineage, record } = attempt.call;
          if (!begun.has(attempt.call)) this.onStart(lineage, record, identity.key(lineage));
          begun.add(attempt.call);
          this.upstream.call(this.incarnation, identity.key(lineage), attempt, this, outcomes);
        }
      },
      cancel: () => undefined,
    };
    const policies = policiesOf<Value, Value>({
      url: 'http://upstream.example',
      concurrency,
      timeoutMs: TIMEOUT_MS,
      retry: { attempts, baseMs: 50, budgetMs: 1_000_000 },
      breaker: hasBreaker && { failures: 3, pauseMs: 200 },
      hedge: hedges && { samples: 1, share: 1, quantile: 0.5 },
    });
    return mapCalls(caller, { policies, concurrency, upstream: name, isIdempotent: true, ordered }, scope);
  }
}
