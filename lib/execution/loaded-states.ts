/**
 * The states of the keys of one partition, in the thread that owns them.
 *
 * Guarantees: a record that fails ends alone, and leaves the state as it was, unless it was changed in place. The
 * answer to a chunk contains each state that the chunk has changed, once.
 */
import { FatalTaskError } from '../model/errors.js';
import { Skip, type Lineage } from '../model/record.js';
import type { ChunkResult, Ending, PlacedStates } from './executor.js';
import type { AnyAggregate, AnyStateful } from './load-export.js';
import { checkedFunctions } from './checked-functions.js';
import { PROGRESS, type ChunkWork, type LoadedWorkload } from './running-workload.js';

interface StepContext {
  readonly task: string;
  lineage: Lineage;
}

/** The operations on the state of a key. */
interface Steps<Context> {
  /** The state of the key of a record before its first record. */
  begin(record: unknown): unknown;
  /** Adds the record to the state. Returns the state and the output; no output for an aggregate. */
  step(state: unknown, record: unknown, context: Context): readonly [state: unknown, output?: unknown];
}

export class LoadedStates<Context extends StepContext> implements LoadedWorkload {
  private readonly steps: Steps<Context>;
  private readonly context: Context;
  private readonly hasOutputs: boolean;
  private readonly states = new Map<number, unknown>();

  private constructor(steps: Steps<Context>, context: Context, hasOutputs: boolean) {
    this.steps = steps;
    this.context = context;
    this.hasOutputs = hasOutputs;
  }

  static ofStateful<Context extends StepContext>(stateful: AnyStateful, context: Context): LoadedStates<Context> {
    const functions = checkedFunctions(stateful, context.task);
    const step: Steps<Context>['step'] = (state, record, given) => functions.step(state, record, given);
    return new LoadedStates({ begin: beginning(functions), step }, context, true);
  }

  static ofAggregate<Context extends StepContext>(aggregate: AnyAggregate, context: Context): LoadedStates<Context> {
    const functions = checkedFunctions(aggregate, context.task);
    const step: Steps<Context>['step'] = (state, record) => [functions.add(state, record)];
    return new LoadedStates({ begin: beginning(functions), step }, context, false);
  }

  transferOf(): readonly object[] {
    return [];
  }

  restore({ places, states }: PlacedStates): void {
    places.forEach((place, i) => this.states.set(place, states[i]));
  }

  execute({ chunk, progress }: ChunkWork): ChunkResult {
    const { states, steps, context } = this;
    const { records, lineages, places = [], forgotten = [], seeds } = chunk;
    for (const place of forgotten) states.delete(place);
    seeds?.places.forEach((place, i) => {
      if (!states.has(place)) states.set(place, seeds.states[i]);
    });
    const changed = new Set<number>();
    const outputs: unknown[] = [];
    const endings: Ending[] = [];
    const startedAtMs = performance.now();
    for (let index = 0; index < records.length; index++) {
      progress[PROGRESS.index] = index;
      context.lineage = lineages[index] as Lineage;
      const place = places[index] as number;
      const record = records[index];
      let output: unknown;
      try {
        const isNew = !states.has(place);
        const state = isNew ? steps.begin(record) : states.get(place);
        // Before the step, which may change the state in place and then throw.
        if (!isNew) changed.add(place);
        const stepped = steps.step(state, record, context);
        states.set(place, stepped[0]);
        changed.add(place);
        if (stepped[1] instanceof Skip) endings.push({ index, member: 0, skip: stepped[1].reason });
        else output = stepped[1];
      } catch (error) {
        if (error instanceof FatalTaskError) throw error;
        endings.push({ index, member: 0, error });
      }
      if (this.hasOutputs) outputs.push(output);
    }
    const all = [...changed];
    const answer = { places: all, states: all.map((place) => states.get(place)) };
    return { outputs, endings, elapsedMs: [performance.now() - startedAtMs], changed: answer };
  }
}

function beginning({ key, init }: Pick<AnyStateful, 'key' | 'init'>): (record: unknown) => unknown {
  return (record) => init(key === undefined ? undefined : key(record));
}
