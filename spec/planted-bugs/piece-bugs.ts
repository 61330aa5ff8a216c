/** Bugs of pieces of graph that are used per record, and of iterations. */
import { aggregateTask, type Task } from 'millrace';
import { WiredInputs } from '#lib/runtime/wiring/wired-inputs.js';
import type { WiredTask } from '#lib/runtime/wiring/wired-task.js';
import { Groups } from '#lib/tasks/groups.js';
import { IterationCaller } from '#lib/tasks/iterate/iteration-caller.js';
import { wrong, type Inside, type Method, type PlantedBug } from './plant.js';

/** The class of aggregates, which nothing exports. */
const AggregateTask = (aggregateTask({ init: () => 0, add: (n: number) => n, finish: (n) => n }) as object)
  .constructor as { prototype: object };

const BUGS: readonly PlantedBug[] = [
  wrong(
    'an aggregate per record continues with the state of the record before',
    AggregateTask,
    'listForm',
    (original) =>
      function () {
        const task = original.apply(this) as Task<never, unknown>;
        const lists = (task as unknown as Inside)['lists'] as { aggregate: { init: () => unknown } } | undefined;
        if (lists === undefined) return task;
        const { aggregate } = lists;
        const first = aggregate.init();
        Object.assign(lists, { aggregate: { ...aggregate, init: () => first } });
        return task;
      },
  ),
  wrong(
    'an aggregate per record misses the records of the key that it made last',
    Groups,
    'results',
    (original) =>
      function (...given) {
        const states = this['states'] as Map<unknown, unknown>;
        const last = [...states.keys()].at(-1);
        if (this['kept'] === undefined && states.size > 1) states.delete(last);
        return original.apply(this, given);
      },
  ),
  wrong(
    'a record with more than two children is given up by its list',
    WiredInputs,
    'join',
    (original) =>
      function (...given) {
        const [task] = given as unknown as [WiredTask];
        const isList = task.declaration.task.kind === 'list' && task.plan.join === 'gather';
        if (!isList) return original.apply(this, given);
        return original.call(this, {
          ...task,
          declaration: { ...task.declaration, join: { join: 'gather', limit: 2 } },
        } as never);
      } satisfies Method,
  ),
  wrong(
    'a record that was iterated begins again when its run is resumed',
    IterationCaller,
    'standingOf',
    (original) =>
      function (...given) {
        return original.apply(Object.create(this, { kept: { value: undefined } }) as Inside, given);
      },
  ),
  wrong(
    'an iteration gets the state of the record that was iterated before',
    IterationCaller,
    'standingOf',
    (original) =>
      function (...given) {
        const last = [...(this['standings'] as Map<unknown, unknown>).values()].at(-1);
        return last ?? original.apply(this, given);
      },
  ),
  wrong(
    'a checkpoint has the state of a record after its first iteration only',
    IterationCaller,
    'settle',
    (original) =>
      function (...given) {
        const [, , iterations] = given as unknown as [unknown, unknown, number];
        if (iterations === 1) return original.apply(this, given);
        return original.apply(Object.create(this, { kept: { value: undefined } }) as Inside, given);
      },
  ),
];

export const PIECE_BUGS: readonly PlantedBug[] = BUGS.map((bug) => ({ ...bug, world: 'extended' }));
