/** Bugs of whole-task rules. */
import type { TaskEnd } from '#lib/model/phases.js';
import { Aftermath } from '#lib/runtime/run/aftermath.js';
import { PhaseOrder } from '#lib/runtime/run/phase-order.js';
import { wrong, type PlantedBug } from './plant.js';

const BUGS: readonly PlantedBug[] = [
  wrong('nothing runs after a run that has failed', Aftermath, 'run', () => () => Promise.resolve([])),
  wrong(
    'a part runs after the end of the run, although it continues in the next incarnation',
    PhaseOrder,
    'stopOf',
    () => () => undefined,
  ),
  wrong(
    'a part that was skipped counts as completed',
    PhaseOrder,
    'endOf',
    (original) =>
      function (...given) {
        const end = original.apply(this, given) as TaskEnd | undefined;
        return end?.status === 'skipped' ? { ...end, status: 'completed' } : end;
      },
  ),
  wrong(
    'two phases run at the same time',
    PhaseOrder,
    'begin',
    (original) =>
      function (...given) {
        const skipped = original.apply(this, given) as unknown[] | undefined;
        if (skipped === undefined) return undefined;
        const first = this['tasks'] as string[];
        for (const task of first) (this['ends'] as Map<string, TaskEnd>).set(task, COMPLETED);
        const more = original.apply(this, given) as unknown[] | undefined;
        for (const task of first) (this['ends'] as Map<string, TaskEnd>).delete(task);
        this['tasks'] = [...first, ...(this['tasks'] as string[])];
        return [...skipped, ...(more ?? [])];
      },
  ),
];

const COMPLETED: TaskEnd = {
  status: 'completed',
  counts: { in: 0, out: 0, skipped: 0, deadLettered: 0, inFlight: 0 },
};

export const RULE_BUGS: readonly PlantedBug[] = BUGS.map((bug) => ({ ...bug, world: 'phases' }));
