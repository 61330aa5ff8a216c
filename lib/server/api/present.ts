/** The forms in which the API shows the data of the server. */
import type { z } from 'zod';
import { MillraceError } from '../../model/errors.js';
import { maskSecrets } from '../../text/mask-secrets.js';
import type { WorkflowFacts } from '../../jobs/workflows/describe-workflows.js';
import type { Json } from '../../model/json.js';
import type { Schedule as Rule } from '../../model/schedule.js';
import type { StoredRun } from '../runs/stored-run.js';
import type { StoredSchedule } from '../schedules/stored-schedule.js';
import type { Timetable } from '../schedules/timetable.js';
import type { Supervisor } from '../supervisor.js';
import type { Run, Schedule } from './schemas.js';

const SHOWN_TICKS = 10;

/** The members of a stored run that the API shows. */
const SHOWN = [
  ...(['id', 'workflow', 'state', 'origin', 'askedBy', 'schedule', 'scheduledFor'] as const),
  ...(['coversFrom', 'coversTo', 'backfill', 'triggeredBy', 'subject'] as const),
  ...(['queuedAt', 'startedAt', 'endedAt', 'stopWish', 'settled', 'deadLetters', 'problem'] as const),
] as const;

export function shownRun(run: StoredRun, supervisor: Supervisor): z.input<typeof Run> {
  const shown = Object.fromEntries(SHOWN.map((key) => [key, run[key]])) as Pick<StoredRun, (typeof SHOWN)[number]>;
  const waitsFor = run.state === 'queued' ? (supervisor.whyWaiting(run.id) ?? '') : '';
  return { ...shown, settings: maskSecrets(run.settings) as Record<string, never>, waitsFor };
}

export function shownSchedule(stored: StoredSchedule, supervisor: Supervisor, now: number): z.input<typeof Schedule> {
  const { id, workflow, name, schedule, generation, isPresent, madeBy, pause, cursor } = stored;
  const timetable = supervisor.timetable(stored);
  const isBroken = timetable instanceof MillraceError;
  const next = !isBroken && isPresent && pause === null ? nextTicks(timetable, Math.max(now, cursor)) : [];
  return {
    ...{ id, workflow, name, generation, isPresent, madeBy, pause, decidedTo: cursor },
    next: [...next],
    stated: maskSecrets(schedule) as Record<string, never>,
    rule: ruleInWords(schedule),
    zone: 'cron' in schedule ? schedule.zone : null,
    overlap: schedule.overlap ?? 'skip',
    catchUp: schedule.catchUp ?? 'last',
    warnings: isBroken ? [] : [...timetable.warnings],
    problem: isBroken ? timetable.message : '',
  };
}

/** The future ticks that are shown. */
export function nextTicks(timetable: Timetable, after: number): readonly number[] {
  const next: number[] = [];
  let at: number | null = after;
  while (next.length < SHOWN_TICKS && (at = timetable.next(at)) !== null) next.push(at);
  return next;
}

/** The JSON Schemas of the params, by key. */
export function paramSchemaOf({ params, configSchema }: WorkflowFacts): Record<string, Json> {
  const { properties = {} } = (configSchema ?? {}) as { readonly properties?: Readonly<Record<string, Json>> };
  return Object.fromEntries(
    params.map((key) => [key, Object.hasOwn(properties, key) ? (properties[key] as Json) : {}]),
  );
}

function ruleInWords(schedule: Rule): string {
  if ('cron' in schedule) return schedule.cron;
  return 'every' in schedule ? `every ${schedule.every}` : schedule.at;
}
