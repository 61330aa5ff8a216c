/**
 * Joins the schedules of the workflows with those of the store. Pure.
 *
 * Guarantees: a schedule never has a tick before the time at which it was created, or at which its rule in time was
 * changed; other changes do not move ticks; a schedule that no longer exists is kept with its history, and has no
 * ticks.
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
  const ids = new Set(found.map(({ id }) => id));
  const names = new Set(workflows.map(({ name }) => name));
  // Schedules that a user has made exist as long as their workflow.
  const made = known
    .filter(({ id, madeBy, workflow }) => madeBy !== null && !ids.has(id) && names.has(workflow))
    .map(({ id, workflow, name, schedule, madeBy }) => ({ id, workflow, name, schedule, madeBy }));
  const stated = found.map((one) => ({ ...one, madeBy: null }));
  const changed = [...stated, ...made].flatMap((one) => {
    const old = before.get(one.id);
    const next = storedSchedule(one, old, now);
    return next === old ? [] : [next];
  });
  const present = new Set([...stated, ...made].map(({ id }) => id));
  const gone = isWhole ? known.filter(({ id, isPresent }) => isPresent && !present.has(id)) : [];
  return [...changed, ...gone.map((one) => ({ ...one, isPresent: false }))];
}

/** The schedule as it is to be stored: `old` itself if nothing has changed. */
export function storedSchedule(
  one: Pick<StoredSchedule, 'id' | 'workflow' | 'name' | 'schedule' | 'madeBy'>,
  old: StoredSchedule | undefined,
  now: number,
): StoredSchedule {
  if (old === undefined) {
    return { ...one, generation: 1, cursor: now, coveredTo: now, isPresent: true, isPaused: false, pause: null };
  }
  const { schedule, madeBy } = one;
  if (!old.isPresent || ruleOf(old.schedule) !== ruleOf(schedule)) {
    const cursor = Math.max(now, old.cursor);
    return { ...old, schedule, madeBy, generation: old.generation + 1, cursor, isPresent: true };
  }
  const isSame = JSON.stringify(old.schedule) === JSON.stringify(schedule) && old.madeBy === madeBy;
  return isSame ? old : { ...old, schedule, madeBy };
}

/** The part of a schedule that names its ticks. */
function ruleOf(schedule: Schedule): string {
  if ('cron' in schedule) return JSON.stringify([schedule.cron, schedule.zone]);
  if ('every' in schedule) return JSON.stringify([schedule.every, schedule.anchor]);
  return JSON.stringify([schedule.at]);
}
