/** The routes for the state of the whole server, for workflows, and for live events. */
import type { z } from 'zod';
import { versionOfMillrace } from '../../observe/version.js';
import { ACTIVE_STATES } from '../runs/stored-run.js';
import { httpError, type Api } from './api.js';
import { paramSchemaOf, shownRun, shownSchedule } from './present.js';
import { rarely } from './rarely.js';
import { Alerts, AlertsQuery, LiveQuery, Overview, Problem, Workflows } from './schemas.js';

const RECENT_RUNS = 30;
const MOST_ATTENTION = 50;
const MOST_ACTIVE = 200;
const MOST_NEXT = 20;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export function overviewRoutes(api: Api): void {
  const { http, store, supervisor, catalog, views, live, access, now } = api;
  const lastDay = rarely(
    () => lastDayOf(store, now()),
    () => performance.now(),
  );
  http.get(
    '/api/v1/overview',
    {
      config: { role: 'viewer', summary: 'What needs attention, what runs, and what comes next' },
      schema: { response: { 200: Overview } },
    },
    async () => {
      const active = await store.runs({ states: ACTIVE_STATES, limit: MOST_ACTIVE });
      const schedules = (await store.schedules()).filter(({ isPresent }) => isPresent);
      const shown = schedules.map((one) => shownSchedule(one, supervisor, now()));
      // One tick per schedule: one with a tick each second would hide the others.
      const next = shown.flatMap(({ id, next: ticks }) => ticks.slice(0, 1).map((at) => ({ schedule: id, at })));
      return {
        version: versionOfMillrace(),
        startedAt: api.startedAt,
        maxRuns: api.maxRuns,
        isDescribed: catalog.isDescribed,
        attention: await attentionOf(api, shown),
        active: await Promise.all(
          active.map(async (run) => {
            // A recording that cannot be read must not hide the other runs.
            const view = await views.view(run.id).catch(() => undefined);
            const sources = view?.tasks.filter(({ layer }) => layer === 0) ?? [];
            const perSecond = sources.reduce((sum, task) => sum + task.perSecond, 0);
            return { run: shownRun(run, supervisor), readShare: view?.readShare ?? null, perSecond };
          }),
        ),
        next: next.sort((a, b) => a.at - b.at).slice(0, MOST_NEXT),
        counts: await store.counts(),
        lastDay: await lastDay(),
        servers: api.servers().map((one) => ({ ...one, pools: { ...one.pools } })),
      };
    },
  );
  http.get(
    '/api/v1/workflows',
    {
      config: { role: 'viewer', summary: 'The workflows, their schedules and their newest runs', workflows: 'awaited' },
      schema: { response: { 200: Workflows } },
    },
    async () => {
      const schedules = await store.schedules();
      return {
        isDescribed: catalog.isDescribed,
        problems: [...catalog.problems],
        workflows: await Promise.all(
          catalog.workflows.map(async (facts) => ({
            name: facts.name,
            description: facts.description,
            from: facts.from,
            params: [...facts.params],
            paramSchema: paramSchemaOf(facts) as Record<string, never>,
            schedules: schedules
              .filter(({ workflow, isPresent }) => workflow === facts.name && isPresent)
              .map((one) => shownSchedule(one, supervisor, now())),
            recent: (await store.runs({ workflow: facts.name, limit: RECENT_RUNS })).map((run) =>
              shownRun(run, supervisor),
            ),
          })),
        ),
      };
    },
  );
  http.get(
    '/api/v1/alerts',
    {
      config: { role: 'viewer', summary: 'The alerts of the last month, newest first, and whether they were sent' },
      schema: { querystring: AlertsQuery, response: { 200: Alerts } },
    },
    async ({ query }) => ({ alerts: [...(await store.alerts(query.limit))] }),
  );
  http.get(
    '/api/v1/live',
    {
      config: { role: 'viewer', summary: 'Server-sent events: `change`, and `run` with the view of the named run' },
      schema: { querystring: LiveQuery, response: { 404: Problem, 429: Problem } },
    },
    async ({ query, headers }, reply) => {
      if (live.isFull) throw httpError(429, 'MILLRACE_USAGE', 'There are too many live streams. Close a page');
      if (query.run !== undefined && (await store.run(query.run)) === undefined) {
        throw httpError(404, 'MILLRACE_UNKNOWN_RUN', `There is no run '${query.run}'`);
      }
      reply.hijack();
      live.open(reply.raw, query.run, async () => (await access.tokenOf(headers.authorization)) !== undefined);
    },
  );
}

type LastDay = z.input<typeof Overview>['lastDay'];

async function lastDayOf(store: Api['store'], at: number): Promise<LastDay> {
  const first = Math.floor(at / HOUR_MS) * HOUR_MS - 23 * HOUR_MS;
  const hours: LastDay = Array.from({ length: 24 }, (_, hour) => ({ at: first + hour * HOUR_MS, ended: {} }));
  for (const { hour, state, runs } of await store.endedByHour(first)) {
    const found = hours[hour];
    if (found !== undefined) found.ended[state] = runs;
  }
  return hours;
}

type Attention = z.input<typeof Overview>['attention'];

async function attentionOf(
  { store, catalog, obstacle, now }: Api,
  schedules: readonly {
    readonly id: string;
    readonly problem: string;
    readonly pause: unknown;
    readonly decidedTo: number;
  }[],
): Promise<Attention> {
  const since = now() - DAY_MS;
  const troubled = await store.runs({ states: ['failed', 'interrupted'], limit: MOST_ATTENTION });
  const blocked = obstacle();
  return [
    ...(blocked === '' ? [] : [{ about: 'server' as const, subject: '', text: blocked }]),
    ...catalog.problems.map((text) => ({ about: 'workflow' as const, subject: '', text })),
    ...schedules.flatMap(({ id, problem, decidedTo }) => {
      // The clock was ahead when the tick was decided, and was set back.
      const isAhead = decidedTo > now() + DAY_MS;
      const text = isAhead ? 'The clock was set back: this schedule waits for the time that it has reached' : problem;
      return text === '' ? [] : [{ about: 'schedule' as const, subject: id, text }];
    }),
    ...(await store.alerts(MOST_ATTENTION))
      .filter(({ at, problem }) => problem !== '' && at > since)
      .map(({ text, problem }) => ({
        about: 'alert' as const,
        subject: '',
        text: `An alert was not sent, because ${problem}: ${text}`,
      })),
    ...troubled
      .filter(({ endedAt }) => (endedAt ?? 0) > since)
      .map(({ id, state, problem, workflow }) => ({
        about: 'run' as const,
        subject: id,
        text: `${workflow}: ${problem === '' ? state : problem}`,
      })),
  ];
}
