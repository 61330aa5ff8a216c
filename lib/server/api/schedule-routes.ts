/** The routes for schedules. */
import { MillraceError } from '../../model/errors.js';
import { audit, httpError, type Api } from './api.js';
import { nextTicks, shownSchedule } from './present.js';
import { assertSettings } from './run-routes.js';
import {
  Calendar,
  CalendarQuery,
  Decisions,
  Done,
  MadeScheduleParams,
  PageQuery,
  PauseBody,
  Problem,
  Schedule,
  ScheduleBody,
  SchedulePreview,
  ScheduleParams,
  Schedules,
} from './schemas.js';
import { calendarOf } from '../schedules/calendar.js';
import type { Schedule as Rule } from '../../model/schedule.js';
import type { StoredSchedule } from '../schedules/stored-schedule.js';
import type { Timetable } from '../schedules/timetable.js';

export function scheduleRoutes(api: Api): void {
  const { http, store, supervisor, now } = api;
  http.get(
    '/api/v1/schedules',
    {
      config: { role: 'viewer', summary: 'All schedules, with their next ticks' },
      schema: { response: { 200: Schedules } },
    },
    async () => ({ schedules: (await store.schedules()).map((one) => shownSchedule(one, supervisor, now())) }),
  );
  http.get(
    '/api/v1/calendar',
    {
      config: { role: 'viewer', summary: 'The ticks of each day or hour: runs, ticks without a run, and future ticks' },
      schema: { querystring: CalendarQuery, response: { 200: Calendar } },
    },
    async ({ query: { edges, schedule } }) => {
      const all = await store.schedules();
      const rows = await calendarOf(
        all.filter(({ id, isPresent }) => (schedule === undefined ? isPresent : id === schedule)),
        edges.split(',').map(Number),
        { store, timetable: (one) => supervisor.timetable(one), now: now() },
      );
      return { rows: rows.map((row) => ({ ...row, cells: [...row.cells] })) };
    },
  );
  http.get(
    '/api/v1/schedules/:workflow/:name/decisions',
    {
      config: { role: 'viewer', summary: 'The decisions about the ticks of a schedule, newest first' },
      schema: { params: ScheduleParams, querystring: PageQuery, response: { 200: Decisions, 404: Problem } },
    },
    async ({ params, query }) => {
      const { id } = await knownSchedule(api, params);
      const decisions = await store.decisions(id, query);
      return { decisions: decisions.map(({ schedule: _, ...decision }) => decision) };
    },
  );
  http.post(
    '/api/v1/schedules/:workflow/:name/pause',
    {
      config: { role: 'operator', summary: 'Pauses a schedule: its ticks have no runs until it is unpaused' },
      schema: { params: ScheduleParams, body: PauseBody, response: { 200: Schedule, 404: Problem } },
    },
    async (request) => {
      const { id } = await knownSchedule(api, request.params);
      const pause = { by: request.user?.name ?? '', at: now(), note: request.body.note };
      await supervisor.pause(id, pause);
      await audit(api, request, 'pause schedule', id);
      return shownSchedule(await knownSchedule(api, request.params), supervisor, now());
    },
  );
  http.post(
    '/api/v1/schedules/:workflow/:name/unpause',
    {
      config: { role: 'operator', summary: 'Ends the pause of a schedule. The ticks of the pause have no runs' },
      schema: { params: ScheduleParams, response: { 200: Schedule, 404: Problem } },
    },
    async (request) => {
      const { id } = await knownSchedule(api, request.params);
      await supervisor.pause(id, null);
      await audit(api, request, 'unpause schedule', id);
      return shownSchedule(await knownSchedule(api, request.params), supervisor, now());
    },
  );
  http.post(
    '/api/v1/schedules/preview',
    {
      config: { role: 'operator', summary: 'The next ticks of a rule, and warnings about it. Changes nothing' },
      schema: { body: ScheduleBody, response: { 200: SchedulePreview, 400: Problem } },
    },
    ({ body }) => {
      const timetable = checked(api, body as Rule);
      return { next: [...nextTicks(timetable, now())], warnings: [...timetable.warnings] };
    },
  );
  http.put(
    '/api/v1/schedules/:workflow/:name',
    {
      config: { role: 'operator', summary: 'Makes a schedule, or changes one that a user made', workflows: 'required' },
      schema: {
        params: MadeScheduleParams,
        body: ScheduleBody,
        response: { 200: Schedule, 400: Problem, 404: Problem, 409: Problem },
      },
    },
    async (request) => {
      const { workflow, name } = request.params;
      const schedule = request.body as Rule;
      assertSettings(api, workflow, schedule.settings ?? {});
      const id = `${workflow}/${name}`;
      checked(api, schedule);
      const old = (await store.schedules()).find((one) => one.id === id);
      if (old?.isPresent === true) assertMade(old);
      await supervisor.putSchedule({ workflow, name, schedule, madeBy: request.user?.name ?? '' });
      await audit(api, request, old === undefined ? 'make schedule' : 'change schedule', id);
      api.poke();
      return shownSchedule(await knownSchedule(api, request.params), supervisor, now());
    },
  );
  http.delete(
    '/api/v1/schedules/:workflow/:name',
    {
      config: { role: 'operator', summary: 'Removes a schedule that a user made. Its runs and its history stay' },
      schema: { params: ScheduleParams, response: { 200: Done, 404: Problem, 409: Problem } },
    },
    async (request) => {
      const found = await knownSchedule(api, request.params);
      if (found.isPresent) assertMade(found);
      await supervisor.removeSchedule(found.id);
      await audit(api, request, 'remove schedule', found.id);
      return {};
    },
  );
}

/** The timetable of a rule that came over HTTP. */
function checked({ supervisor }: Api, schedule: Rule): Timetable {
  const timetable = supervisor.timetable({ id: 'preview', schedule });
  if (timetable instanceof MillraceError) throw httpError(400, timetable.code, timetable.message);
  return timetable;
}

function assertMade({ id, madeBy }: StoredSchedule): void {
  if (madeBy !== null) return;
  throw httpError(
    409,
    'MILLRACE_USAGE',
    `The workflow states the schedule '${id}': change it in the file of the workflow, or pause it here`,
  );
}

export async function knownSchedule(
  { store }: Api,
  { workflow, name }: { readonly workflow: string; readonly name: string },
): Promise<StoredSchedule> {
  const found = (await store.schedules()).find(({ id }) => id === `${workflow}/${name}`);
  if (found !== undefined) return found;
  throw httpError(404, 'MILLRACE_USAGE', `There is no schedule '${workflow}/${name}'`);
}
