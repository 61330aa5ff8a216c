/** The step of a `statefulTask` in the thread of the run, record by record. `statefulTask` states the guarantees. */
import type { Subscriber } from 'rxjs';
import { checkedFunctions } from '../execution/checked-functions.js';
import { WorkloadContext } from '../execution/thread-context.js';
import { sampleWeight } from '../measure/sampling.js';
import type { RecordContext } from '../model/ports.js';
import type { Batch, Lineage, Skip } from '../model/record.js';
import { Intake, type Arrival } from '../stream/intake.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { KeyState } from './keyed-states.js';
import { checkInput, checkOutput, contextOf } from './record-step.js';
import { ScanOutputs } from './scan-outputs.js';
import type { Stateful, StatefulOptions } from './stateful.js';

export class KeyedScan<In, Key, State, Out> extends ScanOutputs<In, Key, State, Out> {
  private readonly stateful: Stateful<In, Key, State, Out>;
  private readonly intake: Intake;
  private readonly before: (record: In) => In;
  private readonly after: (output: Out | Skip) => Out | Skip;
  /** With `partitionBy`, a step has the same context as in a thread. */
  private readonly threadContext: WorkloadContext | undefined;
  private stepped = 0;

  constructor(
    stateful: Stateful<In, Key, State, Out>,
    options: StatefulOptions<In, Out>,
    scope: TaskScope,
    subscriber: Subscriber<Batch<Out>>,
  ) {
    super(options, scope, subscriber);
    this.stateful = checkedFunctions(stateful, scope.task);
    this.before = checkInput<In>(options.input, scope.task);
    this.after = checkOutput<Out>(options.output, scope.task);
    this.intake = new Intake(scope, subscriber);
    if (options.partitionBy !== undefined) {
      this.threadContext = new WorkloadContext(scope.task, scope.runId, Math.floor(scope.random() * 2 ** 31));
    }
  }

  override accept(batch: Batch<In>, input: number): void {
    this.intake.accept(batch, input);
    this.waiter.wake();
  }

  override endInput(): void {
    this.isOver = true;
    this.waiter.wake();
  }

  protected override process(max: number): (Out | Skip)[] {
    const outputs: (Out | Skip)[] = [];
    while (outputs.length < max && this.intake.size > 0 && !this.isClosed)
      this.processOne(this.intake.shift(), outputs);
    return outputs;
  }

  protected override evicted(key: KeyState<Key, State>): void {
    this.states.drop(key);
  }

  private processOne(arrival: Arrival, outputs: (Out | Skip)[]): void {
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
    const { stateful } = this;
    const record = this.before(value as In);
    const entry = this.states.use(stateful.key === undefined ? (undefined as Key) : stateful.key(record));
    // Before `step`, which may change the state in place and then throw.
    this.states.commit(entry);
    const state = entry.hasState ? (entry.state as State) : stateful.init(entry.key);
    const [next, output] = stateful.step(state, record, this.contextOf(lineage));
    const checked = this.after(output);
    entry.state = next;
    entry.hasState = true;
    return checked;
  }

  private contextOf(lineage: Lineage): RecordContext {
    const { threadContext } = this;
    if (threadContext === undefined) return contextOf(this.scope, lineage, 1);
    threadContext.lineage = lineage;
    // A step that threads can call needs no more than this.
    return threadContext as unknown as RecordContext;
  }
}
