/** What the calls of one task in one run are made of, put together: each part says what it promises. */
import type { MillraceError } from '../model/errors.js';
import type { Batch, Lineage, Skip } from '../model/record.js';
import type { TaskScope } from '../stream/task-scope.js';
import { Call, type Attempt, type Caller, type CallOutcomes } from './call.js';
import { CallDeadlines, type CallWords } from './call-deadlines.js';
import { CallExit } from './call-exit.js';
import { CallGate } from './call-gate.js';
import type { GroupOptions } from './call-grouping.js';
import { CallMeter } from './call-meter.js';
import type { CallPolicies } from './policies/call-policies.js';
import { CallStarter } from './call-starter.js';
import { Delays } from './delays.js';
import { RunningAttempts } from './running-attempts.js';
import { SlowCalls } from './slow-calls.js';
import { WaitingCalls } from './waiting-calls.js';

export interface MapCallsOptions {
  readonly policies: CallPolicies;
  /** Calls in flight where no policy names a number. */
  readonly concurrency: number;
  /** What is called, for messages. */
  readonly upstream: string;
  /** What is said of calls that take too long. Default: the words for a request. */
  readonly words?: CallWords;
  /** Whether a call whose outcome is unknown may be repeated: a key is sent, or the method is idempotent. */
  readonly isIdempotent: boolean;
  readonly ordered?: boolean;
  /** How many records travel as one request, and how long a record waits for company. Default: one. */
  readonly group?: GroupOptions;
}

/** What the parts tell whoever decides about calls. */
export interface CallHooks<In, Out> {
  readonly outcomes: CallOutcomes<In, Out | Skip>;
  readonly fail: (error: unknown) => void;
  readonly emit: (batch: Batch<Out>) => void;
  /** A record is asked about for the first time. */
  readonly onFirst: (call: Call<In>, nowMs: number) => void;
  readonly onTimeout: (attempt: Attempt<In>) => void;
  readonly onRecordTimeout: (call: Call<In>, error: MillraceError) => void;
  /** A record cannot even wait. */
  readonly onHopeless: (call: Call<In>, error: unknown) => void;
  /** What had ended has left. */
  readonly onFlushed: () => void;
}

export interface CallParts<In, Out> {
  readonly gate: CallGate;
  /** Undefined where no call is tried twice at a time. */
  readonly slow: SlowCalls<In> | undefined;
  readonly running: RunningAttempts<In>;
  readonly waiting: WaitingCalls<In>;
  readonly meter: CallMeter<In>;
  readonly exit: CallExit<Out>;
  readonly delays: Delays;
  readonly deadlines: CallDeadlines<In>;
  readonly starter: CallStarter<In, Out>;
}

export function assembleCalls<In, Out>(
  caller: Caller<In, Out | Skip>,
  options: MapCallsOptions,
  scope: TaskScope,
  hooks: CallHooks<In, Out>,
): CallParts<In, Out> {
  const { policies, concurrency, upstream, isIdempotent, ordered = false, group } = options;
  const { window } = scope.root;
  const pump = (): void => {
    starter.pump();
  };
  const gate = new CallGate({
    policies,
    defaultConcurrency: concurrency,
    upstream,
    scope,
    wake: pump,
    fail: hooks.fail,
  });
  const slow = policies.hedge !== undefined && isIdempotent ? new SlowCalls<In>(policies.hedge) : undefined;
  const running = new RunningAttempts<In>(policies.timeout.attemptMs, scope.clock, {
    onTimeout: hooks.onTimeout,
    onSlow: (attempt) => {
      if (slow?.add(attempt) === true) pump();
    },
    hedgeAfterMs: () => slow?.afterMs ?? Infinity,
  });
  const waiting = new WaitingCalls<In>(window, policies.fairness, (record: In, lineage: Lineage, error: unknown) => {
    hooks.onHopeless(new Call(record, lineage), error);
  });
  const delays = new Delays(scope.clock);
  const deadlines = new CallDeadlines<In>({
    timeout: policies.timeout,
    words: options.words ?? wordsOfRequest(upstream, scope.task),
    isIdempotent,
    scope,
    delays,
    spentMs: (call, nowMs) => gate.spentMs(call, nowMs),
    onRecordTimeout: hooks.onRecordTimeout,
  });
  const exit = new CallExit<Out>(ordered, scope, hooks.emit, () => {
    pump();
    hooks.onFlushed();
  });
  const starter = new CallStarter<In, Out>({
    caller,
    outcomes: hooks.outcomes,
    gate,
    waiting,
    running,
    slow,
    delays,
    group,
    scope,
    onFirst: hooks.onFirst,
    onMoot: () => {
      exit.flushSoon();
    },
  });
  return { gate, slow, running, waiting, meter: new CallMeter<In>(scope, window), exit, delays, deadlines, starter };
}

function wordsOfRequest(upstream: string, task: string): CallWords {
  return { silence: `${upstream} did not answer '${task}'`, doubt: 'whether the request took effect is unknown' };
}
