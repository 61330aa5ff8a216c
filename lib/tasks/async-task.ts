/** Tasks that run an asynchronous function, several records at a time. */
import type { Awaitable, RecordContext } from '../core/ports.js';
import type { Skip } from '../core/record.js';
import { checkFunction, Task, type ConcurrentOptions } from './task.js';

/** The work of an `asyncTask` on one record. */
export type AsyncFunction<In, Out> = (record: In, context: RecordContext) => Awaitable<Out | Skip>;

/**
 * An asynchronous function, for at most `concurrency` records at a time (default 64). Outputs leave as they finish,
 * or in input order with `ordered: true`. A rejection makes the record a dead letter, or what `onFailure` says.
 * `context.signal` aborts when the run is cancelled.
 *
 * @example asyncTask(async (id: string, { signal }) => (await fetch(`${api}/${id}`, { signal })).json())
 */
export function asyncTask<In, Out>(
  work: AsyncFunction<In, Out>,
  options: ConcurrentOptions<In, Exclude<Out, Skip>> = {},
): Task<In, Exclude<Out, Skip>> {
  checkFunction('the work of an asyncTask', work);
  return new AsyncTask<In, Exclude<Out, Skip>>(work as AsyncFunction<In, Exclude<Out, Skip>>, options);
}

class AsyncTask<In, Out> extends Task<In, Out> {
  override readonly kind = 'async';
  private readonly work: AsyncFunction<In, Out>;

  constructor(work: AsyncFunction<In, Out>, options: ConcurrentOptions<In, Out>) {
    super(options);
    this.work = work;
  }

  protected override process(record: In, context: RecordContext): Awaitable<Out | Skip> {
    return this.work(record, context);
  }
}
