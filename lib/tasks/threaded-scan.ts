/**
 * The step of a `statefulTask` in the threads that own the keys. `statefulTask` states the guarantees. `KeyedRounds`
 * explains why this thread always has the states after a prefix of the input.
 */
import type { Subscriber } from 'rxjs';
import { checkKey } from '../execution/partition-key.js';
import type { ModuleRef } from '../execution/executor.js';
import type { Batch, Skip } from '../model/record.js';
import { partitionOfKey } from '../stream/key-partition.js';
import { ENDED, KeyedRounds, type FinishedRound } from '../stream/keyed-rounds.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { KeyState, LastUse } from './keyed-states.js';
import { checkInput } from './record-step.js';
import { ScanOutputs } from './scan-outputs.js';
import type { Stateful, StatefulOptions } from './stateful.js';

/** The uses and evictions of keys by the records of a round. */
interface Note<Key, State> {
  readonly uses: Map<KeyState<Key, State>, LastUse>;
  readonly evicted: KeyState<Key, State>[];
}

/** A key that was used in this incarnation. */
interface Owned<Key, State> {
  readonly keyState: KeyState<Key, State>;
  readonly partition: number;
}

export class ThreadedScan<In, Key, State, Out> extends ScanOutputs<In, Key, State, Out> {
  private readonly rounds: KeyedRounds<Note<Key, State>>;
  private readonly owned = new Map<number, Owned<Key, State>>();
  private readonly evictedNow: KeyState<Key, State>[] = [];
  /** Whether threads received no records because outputs wait. */
  private isPaused = false;

  constructor(
    stateful: Stateful<In, Key, State, Out>,
    ref: ModuleRef,
    options: StatefulOptions<In, Out>,
    scope: TaskScope,
    subscriber: Subscriber<Batch<Out>>,
  ) {
    super(options, scope, subscriber);
    const before = checkInput<In>(options.input, scope.task);
    const keyOf = stateful.key ?? ((): Key => undefined as Key);
    const { partitionBy = 'key', timeoutMs } = options;
    const partitions = scope.executor.size;
    const seed = Math.floor(scope.random() * 2 ** 31);
    this.rounds = new KeyedRounds<Note<Key, State>>(
      {
        workload: { ref, as: 'stateful', seed, timeoutMs },
        partitions,
        begin: () => ({ uses: new Map(), evicted: [] }),
        place: (value, note) => {
          const record = before(value as In);
          const key = checkKey(keyOf(record), 'key', scope.task);
          const partition = (): number => partitionOfKey(partitionBy === 'key' ? key : partitionBy(record), partitions);
          return { ...this.place(key, partition, note), record };
        },
        statesOf: (partition) => this.statesOf(partition),
        isPaused: () => (this.isPaused = this.waiting >= scope.root.window),
        accept: (round) => {
          this.acceptRound(round);
        },
        onOver: () => {
          this.isOver = true;
          this.waiter.wake();
        },
      },
      scope,
      subscriber,
    );
  }

  override accept(batch: Batch<In>, input: number): void {
    this.rounds.accept(batch, input);
  }

  override endInput(): void {
    this.rounds.endInput();
  }

  stop(): void {
    this.rounds.stop();
  }

  protected override process(): (Out | Skip)[] {
    if (this.isPaused && this.waiting === 0) {
      this.isPaused = false;
      this.rounds.wake();
    }
    return [];
  }

  protected override evicted(key: KeyState<Key, State>): void {
    this.evictedNow.push(key);
  }

  private place(
    key: Key,
    partitionOf: () => number,
    note: Note<Key, State>,
  ): { partition: number; place: number; seed: readonly [unknown] | undefined } {
    const keyState = this.states.use(key);
    note.evicted.push(...this.evictedNow.splice(0));
    const { place, usedAt, use } = keyState;
    note.uses.set(keyState, { usedAt, use });
    const known = this.owned.get(place);
    if (known !== undefined) return { partition: known.partition, place, seed: undefined };
    const partition = partitionOf();
    this.owned.set(place, { keyState, partition });
    return { partition, place, seed: keyState.hasState ? [keyState.state] : undefined };
  }

  private *statesOf(partition: number): Iterable<readonly [number, unknown]> {
    for (const [place, { keyState, partition: owner }] of this.owned) {
      if (owner === partition && keyState.hasState) yield [place, keyState.state];
    }
  }

  private acceptRound({ note, lineages, outputs, states }: FinishedRound<Note<Key, State>>): void {
    const { scope, owned } = this;
    const [edge] = scope.inputs;
    for (const [place, state] of states) {
      const { keyState } = owned.get(place) as Owned<Key, State>;
      keyState.state = state as State;
      keyState.hasState = true;
    }
    for (const [keyState, lastUse] of note.uses) this.states.commit(keyState, lastUse);
    for (const keyState of note.evicted) {
      const { place } = keyState;
      this.states.drop(keyState);
      const partition = owned.get(place)?.partition;
      if (partition !== undefined && owned.delete(place)) this.rounds.forget({ partition, place });
    }
    outputs.forEach((output, i) => {
      if (output === ENDED) return;
      const name = scope.outputs === undefined ? '' : scope.identityOf(lineages[i] as number, edge?.root);
      this.add(name, output as Out | Skip);
    });
    this.waiter.wake();
  }
}
