/**
 * Connects the tasks of a planned graph as Observables: each task's operator subscribes to the join of its
 * dependencies' outputs.
 *
 * Guarantees: every task executes once, for any number of dependents; downstream subscribes before upstream emits;
 * every error fails the run; after `disconnect` nothing emits.
 */
import { Subscription, type Observable, type OperatorFunction } from 'rxjs';
import { countsOf, type TaskAccount } from '../../ledger/account.js';
import { Memory } from '../../memo/memory.js';
import { rememberOutputs } from '../../memo/remember-outputs.js';
import { MillraceError, describeValue } from '../../model/errors.js';
import { exitLabel, type ExitPlan, type GraphPlan, type NodePlan } from '../../model/graph.js';
import type { RootLedger } from '../../ledger/ledger.js';
import type { InputEdge } from '../../stream/task-scope.js';
import { Routed, type Batch } from '../../model/record.js';
import { freezeRecords } from '../../stream/freeze-records.js';
import type { Outlet } from '../../stream/outlet.js';
import type { StateSpace } from '../../stream/state-space.js';
import type { TaskDeclaration } from '../../tasks/flow.js';
import type { FusedTask, Fusible, Members } from '../../tasks/fusible.js';
import * as operators from '../../tasks/operators.js';
import type { RunPast } from '../resume/run-past.js';
import { Forks } from './forks.js';
import { OutputSubscriber, type OutputReceiver } from './output-subscriber.js';
import { RunScope } from './scope.js';
import type { RunServices } from './services.js';
import { blame } from './task-failure.js';
import { WiredInputs } from './wired-inputs.js';
import { WiredRoots, type KeptState } from './wired-roots.js';
import { WiredEdge } from './wired-edge.js';
import type { WiredTask } from './wired-task.js';

export interface WiringOptions {
  /** The most lineages of each root in flight. */
  readonly window: number;
  /** Chains of tasks that are fused into one operator. */
  readonly fused?: readonly (readonly string[])[];
  /** Whether boundaries receive records in root order, so that their outputs have the same numbers in a resumed run. */
  readonly isRepeatable?: boolean;
  /** Whether records are frozen when they leave a task. Default false. */
  readonly freezesRecords?: boolean | undefined;
  /** The past of a resumed run. */
  readonly past?: RunPast | undefined;
  /** The durable state of boundaries, if the run keeps any. */
  readonly kept?: KeptState | undefined;
  /** The outputs of each task, by its name. */
  readonly outlets: ReadonlyMap<string, Outlet>;
  /** Makes the record of a task that runs after others: the ends of these tasks. Called when the task is connected. */
  readonly startOf: (task: string) => unknown;
}

const NO_EDGES: readonly InputEdge[] = [];

export class Wiring implements OutputReceiver {
  readonly tasks = new Map<string, WiredTask>();
  /** Tasks that accept no more input. Each releases its inputs once. */
  readonly released = new Set<string>();
  /** Tasks whose outputs are over. */
  readonly over = new Set<string>();
  /** Tasks that are open, so that they have a position for a checkpoint. */
  readonly opened = new Set<string>();
  /** The names of the tasks of the present phase. */
  private presentNames: ReadonlySet<string> = new Set();
  private readonly wiredRoots: WiredRoots;
  /** Per task, the number of dependents that still need its outputs. A sink needs them itself. */
  private readonly wanted = new Map<string, number>();
  /** Sources whose records are folded by the threads that read them. */
  private readonly folded = new Set<string>();
  /** Subscriptions of the present phase, in the order of their making. Those that have ended stay in it. */
  private connections: Subscription[] = [];
  private isDisconnected = false;
  private readonly services: RunServices;
  private readonly outlets: ReadonlyMap<string, Outlet>;
  private readonly freezesRecords: boolean;
  /** The chain of fused tasks a task is part of, by its name. */
  private readonly chains = new Map<string, readonly string[]>();
  private readonly inputs: WiredInputs;
  readonly past: RunPast | undefined;
  private readonly kept: KeptState | undefined;
  private readonly forks: Forks | undefined;
  private openLeaves = 0;

  constructor(
    plan: GraphPlan,
    declarations: readonly TaskDeclaration[],
    services: RunServices,
    { window, fused = [], isRepeatable = false, freezesRecords = false, past, kept, outlets, startOf }: WiringOptions,
  ) {
    this.services = services;
    this.outlets = outlets;
    this.freezesRecords = freezesRecords;
    this.kept = kept;
    this.wiredRoots = new WiredRoots(plan, window, past, kept);
    this.forks = kept && new Forks(kept.plan, kept.keeper, past);
    this.inputs = new WiredInputs(this.tasks, this.roots, this.wiredRoots.families, this.wiredRoots.outputs, {
      isRepeatable,
      past,
      forks: this.forks,
      startOf,
    });
    this.past = past;
    for (const chain of fused) for (const name of chain) this.chains.set(name, chain);
    const byName = new Map(declarations.map((declaration) => [declaration.name, declaration]));
    for (const node of plan.nodes) {
      const declaration = byName.get(node.node.name) as TaskDeclaration;
      const { writes, isDurable } = declaration.task;
      this.wanted.set(node.node.name, Math.max(1, node.dependents.length + (writes || isDurable ? 1 : 0)));
      const task = this.place(node, declaration);
      this.tasks.set(node.node.name, task);
      this.forks?.add(task.scope);
    }
  }

  /** The ledgers, by root. */
  get roots(): ReadonlyMap<string, RootLedger> {
    return this.wiredRoots.ledgers;
  }

  /**
   * Makes these tasks the present phase, also before they are opened: a run that drains ends their sources.
   */
  present(names: Iterable<string>): void {
    this.presentNames = new Set(names);
  }

  /**
   * Subscribes the tasks of the present phase, sinks first, so that every emitted record has a subscriber. Calls
   * `onDone` after the last output.
   */
  connect(onDone: () => void): void {
    this.connections = [];
    this.isDisconnected = false;
    const wired = this.active.reverse();
    this.openLeaves = wired.filter(({ plan }) => plan.dependents.length === 0).length;
    for (const task of wired) {
      // A task that is already connected may have ended the run. Then no source may be read.
      if (this.isCut()) return;
      this.connectTask(task, onDone);
    }
  }

  /** The tasks of the present phase, dependencies first. */
  get active(): WiredTask[] {
    return [...this.tasks.values()].filter(({ plan }) => this.presentNames.has(plan.node.name));
  }

  /** The roots of the tasks of the present phase. Those of a phase that failed do not balance any more. */
  get activeRoots(): ReadonlySet<RootLedger> {
    const names = this.active.flatMap(({ plan }) => [plan.inputRoot ?? plan.outputRoot, plan.outputRoot]);
    return new Set(names.map((name) => this.wiredRoots.ledger(name)));
  }

  /** Whether the task belongs to the present phase. */
  isPresent(task: string): boolean {
    return this.presentNames.has(task);
  }

  /** Whether a source may still emit new records. */
  get hasOpenSource(): boolean {
    return this.active.some(({ plan, scope }) => plan.node.bearing === 'source' && !scope.root.isExhausted);
  }

  /** Operators that have received all input while nothing else is in flight. They alone decide when the run ends. */
  get lastOperators(): readonly WiredTask[] {
    if (this.hasOpenSource || [...this.activeRoots].some(({ inFlight }) => inFlight > 0)) return [];
    return this.active.filter(
      ({ plan, declaration }) => declaration.task.emitsOnItsOwn && !this.over.has(plan.node.name),
    );
  }

  /** Ends every source, and the operators that nothing else would end. */
  stopSources(): void {
    for (const { scope } of this.lastOperators) scope.end();
    for (const { plan, scope } of this.active) if (plan.node.bearing === 'source') scope.end();
  }

  disconnect(): void {
    this.isDisconnected = true;
    // Collected only now, because during the run each end of a task would search the list of such a subscription.
    const all = new Subscription();
    for (const connection of this.connections) all.add(connection);
    this.connections = [];
    all.unsubscribe();
  }

  /** A method, not the field, so that TypeScript does not narrow it across calls. */
  private isCut(): boolean {
    return this.isDisconnected;
  }

  /** Keeps a subscription until the phase is disconnected. A subscription that has ended costs nothing to end again. */
  private hold(connection: Subscription): void {
    if (this.isDisconnected) connection.unsubscribe();
    else this.connections.push(connection);
  }

  private place(plan: NodePlan, declaration: TaskDeclaration): WiredTask {
    const { name, dependencies } = plan.node;
    const startsOnce = plan.node.after !== undefined && plan.node.bearing !== 'source';
    // Its only record stands for the task, and the failure of a task is not a dead letter.
    const onFailure = declaration.task.options.onFailure ?? (startsOnce ? 'fail' : 'dead-letter');
    const root = this.wiredRoots.ledger(plan.outputRoot);
    const isBoundary = plan.node.bearing === 'boundary';
    const scope = new RunScope(
      {
        task: name,
        root,
        inputs: isBoundary
          ? [this.edge(plan.inputRoot as string, { task: name, dependency: 0 }, name, name)]
          : NO_EDGES,
        family: this.wiredRoots.families.get(plan.outputRoot),
        descent: this.wiredRoots.descentOf(plan.outputRoot),
        onFailure,
        startsOnce,
        readOutputs: plan.outputs,
        past: this.past,
        state: isBoundary ? this.stateOf(plan, 'task') : this.progressOf(plan, declaration),
        outputs: this.wiredRoots.outputs,
        forks: this.forks,
      },
      this.services,
    );
    const joinScope =
      plan.node.bearing !== 'source' && !plan.keepsLineage
        ? new RunScope(
            {
              task: name,
              root: this.wiredRoots.ledger(plan.inputRoot as string),
              inputs: dependencies.map((from, dependency) =>
                this.edge(this.outputRootOf(from), { task: name, dependency }, name, from),
              ),
              family: undefined,
              descent: this.wiredRoots.descentOf(plan.inputRoot as string),
              onFailure,
              past: this.past,
              state: this.stateOf(plan, 'join'),
              outputs: this.wiredRoots.outputs,
              forks: this.forks,
            },
            this.services,
          )
        : scope;
    const { memo } = declaration.task;
    const memory = memo === undefined ? {} : { memory: new Memory(memo, scope) };
    return { plan, declaration, scope, joinScope, output$: this.outlets.get(name) as Outlet, ...memory };
  }

  private stateOf({ node: { name }, inputRoot = '' }: NodePlan, part: 'task' | 'join'): StateSpace | undefined {
    if (this.kept === undefined) return undefined;
    const durability = this.kept.plan.durability.of(name);
    if (durability[part] !== 'kept' && !(part === 'task' && durability.keepsInput === true)) return undefined;
    const entry = { root: inputRoot, label: exitLabel({ task: name, dependency: 0 }) };
    return this.kept.keeper.space(`${part} ${name}`, part === 'task' ? entry : undefined);
  }

  /** The state of a task that keeps lineages, but knows more about a record in flight than its input. */
  private progressOf({ node: { name }, inputRoot }: NodePlan, { task }: TaskDeclaration): StateSpace | undefined {
    const { kept } = this;
    // Records that may have other names in the next incarnation begin again.
    if (kept === undefined || !task.keepsState || inputRoot === undefined) return undefined;
    return kept.keeper.isKeeping && kept.plan.isRepeatable(inputRoot) ? kept.keeper.space(`task ${name}`) : undefined;
  }

  private edge(root: string, exit: ExitPlan, owner: string, from: string): InputEdge {
    return new WiredEdge({
      from,
      ...this.wiredRoots.exit(root, exit),
      descent: this.wiredRoots.descentOf(root),
      stop: () => {
        this.releaseInputs(owner);
      },
      services: this.services,
    });
  }

  private connectTask(task: WiredTask, onDone: () => void): void {
    const { plan } = task;
    const { name } = plan.node;
    if (plan.dependents.length === 0) this.connectExit(task, onDone);
    else if (plan.node.isDurable === true) this.connectExit(task);
    if (this.folded.has(name)) return;
    const chain = this.chains.get(name)?.map((member) => this.tasks.get(member) as WiredTask) ?? [task];
    // The outputs of a chain are the outputs of its last task.
    if (chain.at(-1) !== task) return;
    try {
      const result$ = this.foldOf(task) ?? this.operatorOf(chain)(this.inputs.inputOf(chain));
      this.hold(result$.subscribe(new OutputSubscriber(this, chain)));
    } catch (error) {
      this.services.fail(blame(name, 'failed', error));
    }
  }

  emit(chain: readonly WiredTask[], batch: Batch<unknown>): void {
    const { plan, scope, output$ } = chain.at(-1) as WiredTask;
    const { name } = plan.node;
    if (!isBatch(batch)) {
      this.services.fail(notABatch(batch, name));
      return;
    }
    scope.account.batches++;
    if (plan.outputs.size > 0) countRouted(batch, scope.account);
    if (this.freezesRecords) freezeRecords(batch);
    output$.next(this.forks?.through(name, plan.outputRoot, batch) ?? batch);
  }

  fail(chain: readonly WiredTask[], error: unknown): void {
    const blamed = blame((chain.at(-1) as WiredTask).plan.node.name, 'failed', error);
    // The other tasks continue until the next turn, so the checkpoint contains their work.
    if (chain.every(leavesProgress)) this.services.failAfterCheckpoint(blamed);
    else this.services.fail(blamed);
  }

  end(chain: readonly WiredTask[]): void {
    for (const member of chain) this.ended(member);
  }

  private operatorOf(chain: readonly WiredTask[]): OperatorFunction<Batch<unknown>, Batch<unknown>> {
    if (chain.length > 1) return this.fuse(chain);
    const [{ declaration, scope, memory }] = chain as readonly [WiredTask];
    const own = declaration.task.operator(scope, operators) as OperatorFunction<Batch<unknown>, Batch<unknown>>;
    return memory === undefined ? own : rememberOutputs(own, memory, scope);
  }

  /**
   * The outputs of a task whose source is folded by threads, so that the records never reach this thread; otherwise
   * undefined.
   */
  private foldOf({ plan, declaration, scope }: WiredTask): Observable<Batch<unknown>> | undefined {
    const [dependency, another] = plan.node.dependencies;
    const source = this.tasks.get(dependency ?? '');
    // If another task or an observer needs the records, they cannot be folded in threads.
    if (source === undefined || another !== undefined) return undefined;
    if (source.plan.dependents.length > 1 || source.plan.outputs.size > 0 || source.output$.observed) return undefined;
    const onOver = (): void => {
      this.ended(source);
    };
    const folded = declaration.task.foldFrom(
      { task: source.declaration.task, scope: source.scope, onOver },
      scope,
      operators,
    );
    if (folded !== undefined) this.folded.add(source.plan.node.name);
    return folded;
  }

  private ended({ plan, scope, output$ }: WiredTask): void {
    this.over.add(plan.node.name);
    this.services.emit({
      type: 'task-ended',
      at: this.services.clock.now(),
      task: plan.node.name,
      counts: countsOf(scope.account),
    });
    output$.complete();
  }

  /**
   * One operator for a chain of tasks. The outputs of a task inside the chain are created only if they have an
   * observer.
   */
  private fuse(chain: readonly WiredTask[]): OperatorFunction<Batch<unknown>, Batch<unknown>> {
    const members = chain.map(({ declaration, scope, output$ }, index) => ({
      scope,
      fusible: declaration.task.fusible as Fusible,
      ...(index === chain.length - 1
        ? {}
        : {
            tap: {
              isObserved: () => output$.observed,
              emit: (batch: Batch<unknown>) => {
                output$.next(batch);
              },
            },
          }),
    }));
    const [first, ...others] = members as readonly FusedTask[] as Members<FusedTask>;
    return first.fusible.fuse([first, ...others], operators);
  }

  /** Settles the outputs of a task at its exit: the task is a leaf, or it has written the records durably. */
  private connectExit({ plan, output$ }: WiredTask, onDone?: () => void): void {
    const { name } = plan.node;
    const { root, exit } = this.wiredRoots.exit(plan.outputRoot, { task: name });
    this.hold(
      output$.subscribe({
        next: (batch) => {
          try {
            root.leave(exit, batch.lineages);
          } catch (error) {
            this.services.fail(error);
          }
        },
        complete: () => {
          if (onDone !== undefined && --this.openLeaves === 0) onDone();
        },
      }),
    );
  }

  /**
   * Called when the owner accepts no more input. A dependency that no other task needs ends and releases its inputs.
   */
  private releaseInputs(owner: string): void {
    // A task with several inputs may call this once per input.
    if (this.released.has(owner)) return;
    this.released.add(owner);
    const { dependencies } = (this.tasks.get(owner) as WiredTask).plan.node;
    for (const name of dependencies) {
      const remaining = (this.wanted.get(name) ?? 0) - 1;
      this.wanted.set(name, remaining);
      if (remaining !== 0) continue;
      this.tasks.get(name)?.scope.end();
      this.releaseInputs(name);
    }
  }

  private outputRootOf(name: string): string {
    return (this.tasks.get(name) as WiredTask).plan.outputRoot;
  }
}

function countRouted({ values }: Batch<unknown>, account: TaskAccount): void {
  for (const value of values) if (value instanceof Routed) account.countRouted(value.output);
}

/**
 * Whether the progress of the run is still correct after this task has failed in the middle of a batch: the records
 * that it held have not settled, and it has neither state nor an output in a checkpoint.

 */
function leavesProgress({ plan, declaration, scope, joinScope }: WiredTask): boolean {
  const { bearing, isDurable } = plan.node;
  return bearing === 'inherits' && isDurable !== true && scope === joinScope && !declaration.task.emitsOnItsOwn;
}

/** Checks the output of an operator, because the operator of a user may emit any value. */
function isBatch(batch: unknown): boolean {
  const { lineages, values } = (batch ?? {}) as Partial<Batch<unknown>>;
  return lineages !== undefined && values !== undefined;
}

function notABatch(got: unknown, task: string): MillraceError {
  return new MillraceError(
    'MILLRACE_INVALID_OUTPUT',
    `Expected the operator of '${task}' to emit batches ({ lineages, values }), got ${describeValue(got)}. For plain records use operatorTask`,
  );
}
