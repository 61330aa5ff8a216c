/** Sinks: tasks that write records outside of the run. A sink emits each record after it was written. */
import type { OperatorFunction } from 'rxjs';
import {
  callback,
  checkFunction,
  checkObject,
  checkOptions,
  checkValues,
  flag,
  type OptionRules,
} from '../options/options.js';
import type { Awaitable, RecordContext, RunOutcome, TaskContext } from '../model/ports.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { Batch, Skip } from '../model/record.js';
import { checkInputEventually } from './record-step.js';
import { RecordTask } from './record-task.js';
import { BaseTask, type Operators, type Task } from './task.js';
import { CONCURRENT_RULES, TASK_RULES, type ConcurrentOptions, type TaskOptions } from './task-options.js';

/** Writes one record. */
export type SinkFunction<In> = (record: In, context: RecordContext) => Awaitable<void>;

/**
 * A destination that accepts several records at a time.
 *
 * Contract: `open` is called first. `write` is called only after the last `write` has resolved.
 * `close` is called once, on every path, with the outcome of the run: make the result visible only on 'completed'.
 */
export interface SinkWriter<In> {
  /** Called before the first record. An error fails the run. */
  open?(context: TaskContext): Awaitable<void>;
  /** Writes one or more records. The array is never empty. */
  write(records: readonly In[]): Awaitable<void>;
  /** Called once with the outcome of the run, also if `open` failed or was not called. */
  close?(outcome: RunOutcome): Awaitable<void>;
}

/** Options of `sinkTask`. */
export interface SinkOptions<In> extends TaskOptions<In, In> {
  /** Writes in root order. Default true for writers, false for functions. */
  readonly ordered?: boolean;
}

const WRITER_RULES: OptionRules<SinkWriter<never>> = { open: callback, write: callback, close: callback };
/** A writer has no `concurrency`: one `write` runs at a time. */
const WRITER_SINK_RULES: OptionRules<SinkOptions<unknown>> = { ...TASK_RULES, ordered: flag };

/**
 * Writes with a function that is called per record (one at a time, or up to `concurrency`), or with a writer that
 * accepts several records at a time. Throws MILLRACE_INVALID_OPTION if `into` is neither, and for options that do not
 * fit.
 *
 * @example sinkTask((offer: Offer) => console.log(offer))
 * @example sinkTask({ write: (rows: readonly Row[]) => db.insert(rows) })
 */
export function sinkTask<In>(
  into: SinkFunction<In> | SinkWriter<In>,
  options: SinkOptions<In> & ConcurrentOptions<In, In> = {},
): Task<In, In> {
  if (typeof into === 'function') {
    checkOptions('a sinkTask with a function', options, CONCURRENT_RULES);
    return new FunctionSink(into, options);
  }
  checkObject('what a sinkTask writes into, unless it is a function,', into);
  checkValues(into, WRITER_RULES, ' of the writer of a sinkTask');
  checkFunction('`write` of a sinkTask', (into as { readonly write?: unknown }).write);
  checkOptions('a sinkTask with a writer', options, WRITER_SINK_RULES);
  return new WriterSink(into, options);
}

class FunctionSink<In> extends RecordTask<In, In> {
  override readonly kind = 'sink';
  override readonly writes = true;
  private readonly into: SinkFunction<In>;

  constructor(into: SinkFunction<In>, options: ConcurrentOptions<In, In>) {
    super({ concurrency: 1, ...options });
    this.into = into;
  }

  protected override process(record: In, context: RecordContext): Awaitable<In | Skip> {
    const done = this.into(record, context);
    return done === undefined ? record : Promise.resolve(done).then(() => record);
  }
}

class WriterSink<In> extends BaseTask<In, In> {
  override readonly kind = 'sink';
  override readonly writes = true;
  private readonly into: SinkWriter<In>;
  private readonly ordered: boolean;

  constructor(into: SinkWriter<In>, options: SinkOptions<In>) {
    super(options);
    this.into = into;
    this.ordered = options.ordered ?? true;
  }

  override open(context: TaskContext): Awaitable<void> {
    return this.into.open?.(context);
  }

  override close(outcome: RunOutcome): Awaitable<void> {
    return this.into.close?.(outcome);
  }

  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<In>> {
    return operators.writeBatches<In, In>(
      {
        encode: checkInputEventually(this.options.input, scope.task),
        write: (rows) => this.into.write(rows),
        ordered: this.ordered,
      },
      scope,
    );
  }
}
