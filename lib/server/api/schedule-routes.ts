/** The routes for schedules. */
import { audit, httpError, type Api } from './api.js';
import { shownSchedule } from './present.js';
import { Decisions, PageQuery, PauseBody, Problem, Schedule, ScheduleParams, Schedules } from './schemas.js';
import type { StoredSchedule } from '../schedules/stored-schedule.js';

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
    '/api/v1/schedules/:workflow/:name/decisions',
    {
      config: { role: 'viewer', summary: 'What became of the ticks of a schedule, newest first' },
      schema: { params: ScheduleParams, querystring: PageQuery, response: { 200: Decisions, 404: Problem } },
    },
    async ({ params, query }) => {
      const { id } = await known(api, params);
      const decisions = await store.decisions(id, query);
      return { decisions: decisions.map(({ schedule: _, ...decision }) => decision) };
    },
  );
  http.post(
    '/api/v1/schedules/:workflow/:name/pause',
    {
      config: { role: 'operator', summary: 'Pauses a schedule: its ticks have no runs until it goes on' },
      schema: { params: ScheduleParams, body: PauseBody, response: { 200: Schedule, 404: Problem } },
    },
    async (request) => {
      const { id } = await known(api, request.params);
      const pause = { by: request.user?.name ?? '', at: now(), note: request.body.note };
      await supervisor.pause(id, pause);
      await audit(api, request, 'pause schedule', id);
      return shownSchedule(await known(api, request.params), supervisor, now());
    },
  );
  http.post(
    '/api/v1/schedules/:workflow/:name/unpause',
    {
      config: { role: 'operator', summary: 'Lets a paused schedule go on. The ticks of the pause have no runs' },
      schema: { params: ScheduleParams, response: { 200: Schedule, 404: Problem } },
    },
    async (request) => {
      const { id } = await known(api, request.params);
      await supervisor.pause(id, null);
      await audit(api, request, 'unpause schedule', id);
      return shownSchedule(await known(api, request.params), supervisor, now());
    },
  );
}

async function known(
  { store }: Api,
  { workflow, name }: { readonly workflow: string; readonly name: string },
): Promise<StoredSchedule> {
  const found = (await store.schedules()).find(({ id }) => id === `${workflow}/${name}`);
  if (found !== undefined) return found;
  throw httpError(404, 'MILLRACE_USAGE', `There is no schedule '${workflow}/${name}'`);
}
