/** The states of one `statefulTask` in one run, and the step per record. `statefulTask` states the guarantees. */
import type { Observable, Subscriber } from 'rxjs';
import { sampleWeight } from '../measure/sampling.js';
import { Waiter, type Awaitable } from '../model/awaitable.js';
import { refusePromise } from '../execution/refuse-promise.js';
import { FatalTaskError } from '../model/errors.js';
import type { Batch, Rejected, Skip } from '../model/record.js';
import { Intake, type Arrival } from '../stream/intake.js';
import { KeptEntries } from '../stream/kept-entries.js';
import { pumpRoot } from '../stream/pump-root.js';
import type { Reader } from '../stream/reader.js';
import type { StateSpace } from '../stream/state-space.js';
import type { TaskScope } from '../stream/task-scope.js';
import { checkInput, checkOutput, contextOf } from './record-step.js';
import type { Stateful, StatefulOptions } from './stateful.js';

const DEFAULT_MAX_KEYS = 10_000_000;

/** The state of one key. */
interface Held<State> {
  state: State;
  /** When the key got its last record, milliseconds since 1970. */
  usedAt: number;
  /** The number of that record among all records of the task, in all incarnations. */
  use: number;
}

export class KeyedScan<In, Key, State, Out> implements Reader<Out | Skip> {
  private readonly stateful: Stateful<In, Key, State, Out>;
  private readonly options: StatefulOptions<In, Out>;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Out>>;
  private readonly intake: Intake;
  /** With a limit, the key that was used longest ago comes first. */
  private readonly states = new Map<Key, Held<State>>();
  private readonly kept: KeptEntries<Key> | undefined;
  private readonly before: (record: In) => In;
  private readonly after: (output: Out | Skip) => Out | Skip;
  private readonly isLimited: boolean;
  private readonly waiter = new Waiter();
  private isInputOver = false;
  private isClosed = false;
  private evicted = 0;
  private stepped = 0;
  /** The number of records in all incarnations. */
  private uses = 0;

  constructor(
    stateful: Stateful<In, Key, State, Out>,
    options: StatefulOptions<In, Out>,
    scope: TaskScope,
    subscriber: Subscriber<Batch<Out>>,
  ) {
    this.stateful = stateful;
    this.options = options;
    this.scope = scope;
    this.subscriber = subscriber;
    this.isLimited = options.maxKeys !== undefined || options.ttlMs !== undefined;
    this.before = checkInput<In>(options.input, scope.task);
    this.after = checkOutput<Out>(options.output, scope.task);
    this.intake = new Intake(scope);
    if (scope.state !== undefined) this.kept = keepStates(scope.state, this.states);
    for (const { use } of this.states.values()) this.uses = use + 1;
  }

  connect(input$: Observable<Batch<In>>): void {
    const { scope, subscriber } = this;
    const outputs = scope.outputs?.continuing<Out | Skip | Rejected>(this, scope.past) ?? this;
    subscriber.add(pumpRoot<Out>(outputs, scope).subscribe(subscriber));
    this.intake.connect(
      [input$],
      {
        onArrival: () => {
          this.waiter.wake();
        },
        onInputOver: () => {
          this.isInputOver = true;
          this.waiter.wake();
        },
      },
      subscriber,
    );
  }

  read(max: number): Awaitable<readonly (Out | Skip)[] | null> {
    const outputs: (Out | Skip)[] = [];
    while (outputs.length < max && this.intake.size > 0 && !this.isClosed) this.process(this.intake.shift(), outputs);
    if (outputs.length > 0) return outputs;
    if (this.isClosed) return null;
    if (this.isInputOver) {
      this.reportEvicted();
      return null;
    }
    return this.waiter.wait().then(() => this.read(max));
  }

  close(): void {
    this.isClosed = true;
    this.waiter.wake();
  }

  private process(arrival: Arrival, outputs: (Out | Skip)[]): void {
    const { scope } = this;
    const { clock, account, outputs: keptOutputs } = scope;
    const weight = sampleWeight(this.stepped++);
    const startedAtMs = weight > 0 ? clock.monotonicMs() : 0;
    const [edge] = scope.inputs;
    try {
      outputs.push(this.step(arrival));
      keptOutputs?.announce(scope.identityOf(arrival.lineage, edge?.root));
    } catch (error) {
      const { lineage, value: record } = arrival;
      scope.giveUp({ lineage, record, error, attempts: 1, takenFrom: edge?.root });
    }
    if (weight > 0) account.meter.looped((clock.monotonicMs() - startedAtMs) * weight);
    this.intake.letGo(arrival);
  }

  private step({ lineage, value }: Arrival): Out | Skip {
    const { stateful, scope } = this;
    const now = this.isLimited ? scope.clock.now() : 0;
    if (this.isLimited) this.evictExpired(now);
    const record = this.before(value as In);
    const key = stateful.key === undefined ? (undefined as Key) : stateful.key(record);
    const held = this.states.get(key);
    const state = held === undefined ? stateful.init(key) : held.state;
    if (held === undefined) refusePromise(state, `\`init\` of '${scope.task}'`);
    // Before `step`, which may change the state in place and then throw.
    if (held !== undefined) this.kept?.changed(key);
    const stepped = stateful.step(state, record, contextOf(scope, lineage, 1));
    refusePromise(stepped, `\`step\` of '${scope.task}'`);
    const [next, output] = stepped;
    const checked = this.after(output);
    this.hold(key, held, next, now);
    return checked;
  }

  private hold(key: Key, held: Held<State> | undefined, state: State, now: number): void {
    const { states } = this;
    const use = this.uses++;
    this.kept?.changed(key);
    if (held === undefined) {
      this.makeRoom();
      states.set(key, { state, usedAt: now, use });
      return;
    }
    held.state = state;
    held.use = use;
    if (!this.isLimited) return;
    held.usedAt = now;
    states.delete(key);
    states.set(key, held);
  }

  private makeRoom(): void {
    const { maxKeys = DEFAULT_MAX_KEYS } = this.options;
    if (this.states.size < maxKeys) return;
    if (this.options.maxKeys === undefined) {
      throw new FatalTaskError(
        'MILLRACE_AGGREGATE_OVERFLOW',
        `'${this.scope.task}' holds ${maxKeys} keys, the most allowed, and got another one. Set \`maxKeys\` or \`ttlMs\` to evict keys, or choose a coarser key`,
      );
    }
    const [oldest] = this.states.keys();
    this.evict(oldest as Key, `more than \`maxKeys\` (${maxKeys}) keys were in use`);
  }

  private evictExpired(now: number): void {
    const { ttlMs } = this.options;
    if (ttlMs === undefined) return;
    for (const [key, { usedAt }] of this.states) {
      if (usedAt + ttlMs > now) return;
      this.evict(key, `it got no record for \`ttlMs\` (${ttlMs} ms)`);
    }
  }

  private evict(key: Key, why: string): void {
    this.states.delete(key);
    this.kept?.removed(key);
    if (++this.evicted === 1) {
      this.scope.notice(`'${this.scope.task}' evicts the states of keys, the first one because ${why}`);
    }
  }

  private reportEvicted(): void {
    if (this.evicted > 0) this.scope.notice(`'${this.scope.task}' has evicted the states of ${this.evicted} keys`);
    this.evicted = 0;
  }
}

/** The durable form of a state, under a number of its own. */
type StoredState<Key, State> = readonly [key: Key, state: State, usedAt: number, use: number];

/** Keeps the states as a part of the durable state, and continues with those that an earlier incarnation left. */
function keepStates<Key, State>(space: StateSpace, states: Map<Key, Held<State>>): KeptEntries<Key> {
  let next = 0;
  const entries = new KeptEntries<Key>(
    (key) => {
      const held = states.get(key);
      return held && [[key, held.state, held.usedAt, held.use] satisfies StoredState<Key, State>];
    },
    () => next++,
  );
  const restored = [...space.restored].map(
    ([place, entry]) => [Number(place), entry as StoredState<Key, State>] as const,
  );
  // The key that was used longest ago comes first.
  restored.sort(([, [, , , a]], [, [, , , b]]) => a - b);
  for (const [place, [key, state, usedAt, use]] of restored) {
    states.set(key, { state, usedAt, use });
    entries.restored(key, place);
    next = Math.max(next, place + 1);
  }
  space.heldBy(entries);
  space.consumed();
  return entries;
}
