/**
 * The schedules of the workflows, joined with those that the store remembers. Pure.
 *
 * Guarantees: a schedule never has a tick before the moment at which it came into being, or at which its rule in time was changed; a
 * change of anything else moves nothing; a schedule that is gone is kept with its history, and has no ticks.
 */
import type { Schedule } from '../../model/schedule.js';
import type { StoredSchedule } from './stored-schedule.js';

/** The part of a workflow that has schedules. */
export interface Scheduled {
  readonly name: string;
  readonly schedules: Readonly<Record<string, Schedule>>;
}

/**
 * The schedules that are new or changed, as they are to be stored.
 * @param isWhole false if a file did not load: then no schedule counts as gone.
 */
export function syncSchedules(
  workflows: readonly Scheduled[],
  known: readonly StoredSchedule[],
  now: number,
  isWhole = true,
): readonly StoredSchedule[] {
  const before = new Map(known.map((one) => [one.id, one]));
  const found = workflows.flatMap(({ name: workflow, schedules }) =>
    Object.entries(schedules).map(([name, schedule]) => ({ id: `${workflow}/${name}`, workflow, name, schedule })),
  );
  const changed = found.flatMap((one) => {
    const old = before.get(one.id);
    if (old === undefined) {
      const fresh = { generation: 1, cursor: now, coveredTo: now, isPresent: true, isPaused: false, pause: null };
      return [{ ...one, ...fresh }];
    }
    if (!old.isPresent || ruleOf(old.schedule) !== ruleOf(one.schedule)) {
      const cursor = Math.max(now, old.cursor);
      return [{ ...old, schedule: one.schedule, generation: old.generation + 1, cursor, isPresent: true }];
    }
    return JSON.stringify(old.schedule) === JSON.stringify(one.schedule) ? [] : [{ ...old, schedule: one.schedule }];
  });
  const ids = new Set(found.map(({ id }) => id));
  const gone = isWhole ? known.filter(({ id, isPresent }) => isPresent && !ids.has(id)) : [];
  return [...changed, ...gone.map((one) => ({ ...one, isPresent: false }))];
}

/** The part of a schedule that names its ticks. */
function ruleOf(schedule: Schedule): string {
  if ('cron' in schedule) return JSON.stringify([schedule.cron, schedule.zone]);
  if ('every' in schedule) return JSON.stringify([schedule.every, schedule.anchor]);
  return JSON.stringify([schedule.at]);
}
