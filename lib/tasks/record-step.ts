/**
 * Compiles the step that an operator runs per record from the user's function and the schemas of the task.
 *
 * Guarantees: a task without schemas has no cost for them. A synchronous function stays synchronous.
 */
import type { AttemptSignal } from '../stream/attempt-signal.js';
import type { Abortable, AsyncStep, MakeSignal } from '../stream/map-bounded.js';
import type { SyncStep } from '../stream/map-sync.js';
import { isPromiseLike } from '../model/awaitable.js';
import type { Awaitable, LineageId, RecordContext } from '../model/ports.js';
import type { TaskScope } from '../stream/task-scope.js';
import { Skip } from '../model/record.js';
import { refuseAsynchronous, validate, validateEventually, type Schema } from '../options/schema.js';

interface Schemas {
  readonly input?: Schema<unknown>;
  readonly output?: Schema<unknown>;
}

/** The context of a record, as the user's function sees it. */
export class StepContext implements RecordContext, Abortable {
  private readonly scope: TaskScope;
  /**
   * The signal of the attempt, or what makes it when it is read; undefined for a record without one. No derived class
   * for attempts, because its objects are slow to make.
   */
  private waiting: AttemptSignal | MakeSignal | undefined;
  lineage: number;
  attempt: number;

  constructor(scope: TaskScope, lineage: number, attempt: number, waiting?: AttemptSignal | MakeSignal) {
    this.scope = scope;
    this.lineage = lineage;
    this.attempt = attempt;
    this.waiting = waiting;
  }
  get id(): LineageId {
    const { inputs, root, numbering } = this.scope;
    // The records of a boundary have lineages of the root in front of it.
    const from = inputs[0] ?? { root, numbering };
    return { ...this.scope.idOf(this.lineage, from.root), root: from.numbering };
  }
  get task(): string {
    return this.scope.task;
  }
  get runId(): string {
    return this.scope.runId;
  }
  get signal(): AbortSignal {
    return this.ownSignal()?.signal ?? this.scope.signal;
  }
  abort(reason: unknown): void {
    this.ownSignal()?.abort(reason);
  }
  now(): number {
    return this.scope.clock.now();
  }
  random(): number {
    return this.scope.random();
  }
  private ownSignal(): AttemptSignal | undefined {
    const { waiting } = this;
    if (typeof waiting !== 'function') return waiting;
    const made = waiting();
    this.waiting = made;
    return made;
  }
}

/** The context that a user's function receives with the record. */
export function contextOf(scope: TaskScope, lineage: number, attempt: number): RecordContext {
  return new StepContext(scope, lineage, attempt);
}

/** A step whose function may be asynchronous. */
export function compileStep<In, Out>(
  work: (record: In, context: RecordContext) => Awaitable<Out | Skip>,
  schemas: Schemas,
  scope: TaskScope,
): AsyncStep<In, Out> {
  const begin = (lineage: number, attempt: number, signal: MakeSignal): StepContext =>
    new StepContext(scope, lineage, attempt, signal);
  const { input, output } = schemas;
  if (input === undefined && output === undefined) return { begin, run: work };
  const before = checkInputEventually<In>(input, scope.task);
  const after = checkOutputEventually<Out>(output, scope.task);
  return {
    begin,
    run: (record, context) => {
      const run = (checked: In): Awaitable<Out | Skip> => {
        const result = work(checked, context);
        return isPromiseLike(result) ? result.then((value) => after(value)) : after(result);
      };
      const checking = before(record);
      return isPromiseLike(checking) ? checking.then(run) : run(checking);
    },
  };
}

/** A step whose function is synchronous. Its context is one object, valid during the call. */
export function compileSyncStep<In, Out>(
  work: (record: In, context: RecordContext) => Out | Skip,
  schemas: Schemas,
  scope: TaskScope,
): SyncStep<In, Out> {
  const { input, output } = schemas;
  const context = new StepContext(scope, 0, 1);
  if (input === undefined && output === undefined) return { context, run: work };
  const before = checkInput<In>(input, scope.task);
  const after = checkOutput<Out>(output, scope.task);
  return { context, run: (record, given) => after(work(before(record), given)) };
}

/**
 * Validates a record before the task receives it. Without a schema it is passed on unchanged. Throws
 * MILLRACE_INVALID_OPTION for a schema that is asynchronous.
 */
export function checkInput<In>(schema: Schema<unknown> | undefined, task: string): (record: In) => In {
  if (schema === undefined) return (record) => record;
  refuseAsynchronous(schema, `the input of '${task}'`);
  return (record) => validate(schema, record, 'MILLRACE_INVALID_INPUT', `The input of '${task}'`) as In;
}

/**
 * Validates an output of the task. Without a schema it is passed on unchanged. Throws MILLRACE_INVALID_OPTION for a
 * schema that is asynchronous.
 */
export function checkOutput<Out>(schema: Schema<unknown> | undefined, task: string): (value: Out | Skip) => Out | Skip {
  if (schema === undefined) return (value) => value;
  refuseAsynchronous(schema, `the output of '${task}'`);
  return (value) =>
    value instanceof Skip
      ? value
      : (validate(schema, value, 'MILLRACE_INVALID_OUTPUT', `The output of '${task}'`) as Out);
}

/** Like `checkInput`, also for an asynchronous schema: then it returns a promise. */
export function checkInputEventually<In>(
  schema: Schema<unknown> | undefined,
  task: string,
): (record: In) => Awaitable<In> {
  if (schema === undefined) return (record) => record;
  return (record) =>
    validateEventually(schema, record, 'MILLRACE_INVALID_INPUT', `The input of '${task}'`) as Awaitable<In>;
}

/** Like `checkOutput`, also for an asynchronous schema: then it returns a promise. */
export function checkOutputEventually<Out>(
  schema: Schema<unknown> | undefined,
  task: string,
): (value: Out | Skip) => Awaitable<Out | Skip> {
  if (schema === undefined) return (value) => value;
  return (value) =>
    value instanceof Skip
      ? value
      : (validateEventually(schema, value, 'MILLRACE_INVALID_OUTPUT', `The output of '${task}'`) as Awaitable<Out>);
}
