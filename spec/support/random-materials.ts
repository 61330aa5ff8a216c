/** What the tasks of a random graph are made of, where they touch something outside of the graph. */
import {
  asyncTask,
  sinkTask,
  type Clock,
  type FailurePolicy,
  type Schema,
  type SourceTask,
  type SyncFunction,
  type Task,
} from 'millrace';
import { hashOf, late, randomSource, type Value, type Work } from './random-tasks.js';

export interface SlowWork {
  readonly salt: number;
  readonly onFailure: FailurePolicy<Value>;
  readonly concurrency: number;
  readonly ordered: boolean;
  /** What of a record decides: collections come in any order. */
  readonly prepare: (value: Value) => Value;
}

export interface Materials {
  /** Makes delays virtual. */
  readonly clock: Clock | undefined;
  /** @param schema what does not fit it is given up. */
  source(items: readonly number[], shape: number, schema: Schema<number> | undefined): SourceTask<number>;
  /** The work of a synchronous task, as it is or looked at. */
  watched(name: string, work: Work): SyncFunction<Value, Value>;
  /** A task whose work takes its time. */
  slow(name: string, work: Work, options: SlowWork): Task<never, Value>;
  sink(name: string): Task<never, Value>;
}

/** Plain tasks. What the sinks have written goes to `written`. */
export function plainMaterials(clock: Clock | undefined, written: Map<string, Value[]>): Materials {
  return {
    clock,
    source: (items, shape) => randomSource(items, shape),
    watched: (_, work) => work,
    slow: (_, work, { salt, prepare, ...options }) =>
      asyncTask<Value, Value>((value) => late(hashOf([salt, 1, prepare(value)]), clock, () => work(value)), options),
    sink: (name) => {
      const rowsOf: Value[] = [];
      written.set(name, rowsOf);
      return sinkTask<Value>({
        write: (rows) =>
          hashOf([name, rows.length]) % 2 === 0
            ? void rowsOf.push(...rows)
            : late(hashOf([name, rowsOf.length]), clock, () => void rowsOf.push(...rows)),
      });
    },
  };
}

/** A schema that takes whole numbers of some kind. */
export function schemaOf(fits: (item: number) => boolean): Schema<number> {
  return {
    '~standard': {
      version: 1,
      vendor: 'spec',
      validate: (value) =>
        fits(value as number) ? { value: value as number } : { issues: [{ message: 'does not fit' }] },
    },
  };
}
