/**
 * The outputs of one `statefulTask` in one run, from the step that made them to the root that emits them, and the part
 * of a checkpoint that contains them.
 *
 * Guarantees: an output whose record has left the input, and which was not emitted, is in the checkpoint. A resumed run
 * emits it first, whether or not it has threads.
 */
import type { Subscriber } from 'rxjs';
import { Waiter, type Awaitable } from '../model/awaitable.js';
import { Skip, skip, type Batch, type Rejected } from '../model/record.js';
import type { Engine } from '../stream/operate.js';
import { pumpInto } from '../stream/pump-root.js';
import type { Reader } from '../stream/reader.js';
import type { Change, StateHolder } from '../stream/state-space.js';
import type { TaskScope } from '../stream/task-scope.js';
import { KeyedStates, type KeyLimits, type KeyState } from './keyed-states.js';

/** An output that was not emitted, with the name of its record. */
interface Ready<Out> {
  readonly name: string;
  readonly output: Out | Skip;
}

/** The form in which it is stored. */
type StoredReady = readonly [name: string, output: unknown, skipped?: true];

/** The key under which the outputs are stored. */
const READY = 'ready';

export abstract class ScanOutputs<In, Key, State, Out> implements Engine<In>, Reader<Out | Skip>, StateHolder {
  protected readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Out>>;
  protected readonly states: KeyedStates<Key, State>;
  protected readonly waiter = new Waiter();
  /** Whether all records were processed. */
  protected isOver = false;
  protected isClosed = false;
  private ready: Ready<Out>[] = [];
  private hasStoredReady = false;

  constructor(limits: KeyLimits, scope: TaskScope, subscriber: Subscriber<Batch<Out>>) {
    this.scope = scope;
    this.subscriber = subscriber;
    this.states = new KeyedStates<Key, State>(scope, limits, (evicted) => {
      this.evicted(evicted);
    });
    const { state: space } = scope;
    if (space === undefined) return;
    const stored = (space.restored.get(READY) ?? []) as readonly StoredReady[];
    this.hasStoredReady = stored.length > 0;
    this.ready = stored.map(([name, output, skipped]) => ({
      name,
      output: skipped === true ? skip(output as string) : (output as Out),
    }));
    space.setHolder(this);
    space.consumed();
  }

  abstract accept(batch: Batch<In>, input: number): void;

  abstract endInput(): void;

  /** Processes up to `max` records that wait, and returns their outputs, which are announced. */
  protected abstract process(max: number): (Out | Skip)[];

  /** Called for a key that is no longer in use. */
  protected abstract evicted(key: KeyState<Key, State>): void;

  connect(): void {
    const { scope, subscriber } = this;
    pumpInto(scope.outputs?.continuing<Out | Skip | Rejected>(this, scope.past) ?? this, scope, subscriber);
  }

  /** The number of outputs that wait. */
  protected get waiting(): number {
    return this.ready.length;
  }

  /** Adds an output, under the name of its record. */
  protected add(name: string, output: Out | Skip): void {
    this.ready.push({ name, output });
  }

  read(max: number): Awaitable<readonly (Out | Skip)[] | null> {
    if (this.isClosed) return null;
    const first = this.ready.splice(0, max);
    for (const { name } of first) this.scope.outputs?.announce(name);
    const outputs = first.map(({ output }) => output);
    outputs.push(...this.process(max - outputs.length));
    if (outputs.length > 0) return outputs;
    if (this.isOver) {
      this.states.reportEvicted();
      return null;
    }
    return this.waiter.wait().then(() => this.read(max));
  }

  close(): void {
    this.isClosed = true;
    this.waiter.wake();
  }

  *changes(): Iterable<Change> {
    yield* this.states.changes();
    if (this.ready.length > 0) yield [READY, [this.ready.map(storedForm)]];
    else if (this.hasStoredReady) yield [READY, undefined];
    this.hasStoredReady = this.ready.length > 0;
  }
}

function storedForm<Out>({ name, output }: Ready<Out>): StoredReady {
  return output instanceof Skip ? [name, output.reason, true] : [name, output];
}
