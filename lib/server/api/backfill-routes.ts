/** The routes for backfills: runs for ticks of the past. */
import { maskSecrets } from '../../text/mask-secrets.js';
import { codeOf, describeThrown, MillraceError } from '../../model/errors.js';
import { RUN_STATES } from '../runs/stored-run.js';
import type { StoredBackfill, StoredSchedule } from '../schedules/stored-schedule.js';
import { audit, httpError, type Api } from './api.js';
import { knownSchedule } from './schedule-routes.js';
import {
  Backfill,
  BackfillBody,
  BackfillParams,
  BackfillPreview,
  BackfillQuery,
  Backfills,
  Problem,
  ScheduleParams,
  StopBody,
  Stopped,
} from './schemas.js';
import type { z } from 'zod';

const MOST_SHOWN = 100;
/** The ticks that a preview names: the first and the last ones. */
const MOST_NAMED = 10;
/** The most runs that are read of a backfill; a backfill has fewer. */
const MOST_RUNS = 10_000;

export function backfillRoutes(api: Api): void {
  const { http, store, supervisor } = api;
  http.get(
    '/api/v1/backfills',
    {
      config: { role: 'viewer', summary: 'Backfills, newest first' },
      schema: { response: { 200: Backfills } },
    },
    async () => {
      const found = await store.backfills(MOST_SHOWN);
      return { backfills: await Promise.all(found.map((one) => shown(api, one))) };
    },
  );
  http.get(
    '/api/v1/schedules/:workflow/:name/backfill',
    {
      config: { role: 'viewer', summary: 'The ticks that a backfill of this range has. Changes nothing' },
      schema: {
        params: ScheduleParams,
        querystring: BackfillQuery,
        response: { 200: BackfillPreview, 400: Problem, 404: Problem },
      },
    },
    async ({ params, query }) => {
      const schedule = await knownSchedule(api, params);
      const found = await inRange(() => supervisor.backfillTicks(schedule, query));
      const ticks = found.map(({ tick }) => tick);
      const named = ticks.length <= MOST_NAMED ? ticks : [...ticks.slice(0, MOST_NAMED - 1), ticks.at(-1) as number];
      const settings = maskSecrets(schedule.schedule.settings ?? {}) as Record<string, never>;
      return { count: ticks.length, ticks: named, settings };
    },
  );
  http.post(
    '/api/v1/schedules/:workflow/:name/backfill',
    {
      config: {
        role: 'operator',
        summary: 'Asks for a run for each tick of a range of the past',
        workflows: 'required',
      },
      schema: {
        params: ScheduleParams,
        body: BackfillBody,
        response: { 200: Backfill, 400: Problem, 404: Problem, 409: Problem },
      },
    },
    async (request) => {
      const schedule = await knownSchedule(api, request.params);
      assertRunnable(api, schedule);
      const { requestKey = null, ...range } = request.body;
      const askedBy = request.user?.name ?? '';
      const { backfill, isNew } = await inRange(() => supervisor.backfill(schedule, { ...range, askedBy, requestKey }));
      if (isNew) await audit(api, request, 'backfill', `${schedule.id}: ${backfill.count} runs as ${backfill.id}`);
      else if (backfill.schedule !== schedule.id || backfill.from !== range.from || backfill.to !== range.to) {
        throw httpError(
          409,
          'MILLRACE_USAGE',
          `The request key '${requestKey ?? ''}' belongs to backfill ${backfill.id} of '${backfill.schedule}'. Use a new key`,
        );
      }
      api.poke();
      return shown(api, backfill);
    },
  );
  http.post(
    '/api/v1/backfills/:id/stop',
    {
      config: { role: 'operator', summary: 'Stops the runs of a backfill: those in the queue, and those at work' },
      schema: { params: BackfillParams, body: StopBody, response: { 200: Stopped, 404: Problem } },
    },
    async (request) => {
      const { id } = request.params;
      const runs = await store.runs({ backfill: id, limit: 1 });
      if (runs.length === 0) throw httpError(404, 'MILLRACE_USAGE', `There is no backfill '${id}'`);
      const stopped = await supervisor.stopBackfill(id, request.body.how);
      await audit(api, request, `${request.body.how} backfill`, id);
      api.poke();
      return { stopped };
    },
  );
}

async function shown({ store }: Api, backfill: StoredBackfill): Promise<z.input<typeof Backfill>> {
  const { id, schedule, workflow, from, to, count, askedBy, at } = backfill;
  const runs = await store.runs({ backfill: id, limit: MOST_RUNS });
  const states = RUN_STATES.map((state) => [state, runs.filter((run) => run.state === state).length] as const);
  return {
    ...{ id, schedule, workflow, from, to, count, askedBy, at },
    states: Object.fromEntries(states.filter(([, runsInState]) => runsInState > 0)),
  };
}

function assertRunnable({ catalog }: Api, { workflow, id }: StoredSchedule): void {
  if (catalog.workflow(workflow) !== undefined) return;
  throw httpError(404, 'MILLRACE_UNKNOWN_WORKFLOW', `The workflow of the schedule '${id}' is not there any more`);
}

/** A range that cannot be backfilled is a fault of the request. */
async function inRange<T>(find: () => Promise<T>): Promise<T> {
  try {
    return await find();
  } catch (error) {
    const isOurs = !(error instanceof MillraceError) || error.retryable;
    throw isOurs ? error : httpError(400, codeOf(error), describeThrown(error));
  }
}
