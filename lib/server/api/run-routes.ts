/** The routes for runs. */
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { writeReport } from '../../jobs/run-report.js';
import type { Json } from '../../model/json.js';
import { allIncarnations, isAlive } from '../../storage/incarnations.js';
import type { z } from 'zod';
import { nearest } from '../../text/nearest.js';
import type { EdgeView } from '../runs/run-view.js';
import { findInOutput, readOutput } from '../runs/run-output.js';
import { outputFileOf } from '../runs/run-processes.js';
import { audit, httpError, type Api } from './api.js';
import { folderOf, knownRun } from './known-run.js';
import { shownRun } from './present.js';
import { assertRoom } from './trigger-routes.js';
import {
  Output,
  OutputQuery,
  Problem,
  Processes,
  Run,
  RunHistory,
  RunParams,
  Runs,
  RunsQuery,
  RunView,
  StopBody,
  TriggerBody,
  WorkflowParams,
} from './schemas.js';

const ATTACHMENT = {
  'content-disposition': 'attachment; filename="report.html"',
  'content-security-policy': 'sandbox',
};

export function runRoutes(api: Api): void {
  const { http, store, supervisor, views } = api;
  http.get(
    '/api/v1/runs',
    {
      config: { role: 'viewer', summary: 'Runs, newest first' },
      schema: { querystring: RunsQuery, response: { 200: Runs } },
    },
    async ({ query: { state, limit, ...query } }) => {
      const runs = await store.runs({ ...query, limit, ...(state === undefined ? {} : { states: [state] }) });
      const before = runs.length < limit ? null : (runs.at(-1)?.id ?? null);
      return { runs: runs.map((run) => shownRun(run, supervisor)), before };
    },
  );
  http.post(
    '/api/v1/workflows/:workflow/runs',
    {
      config: { role: 'operator', summary: 'Asks for a run', workflows: 'required' },
      schema: {
        params: WorkflowParams,
        body: TriggerBody,
        response: { 200: Run, 400: Problem, 404: Problem, 409: Problem, 429: Problem },
      },
    },
    async (request) => {
      const { workflow } = request.params;
      const { settings, requestKey = null } = request.body;
      assertSettings(api, workflow, settings);
      await assertRoom(api);
      const askedBy = request.user?.name ?? '';
      const { run, isNew } = await supervisor.request({ workflow, settings, askedBy, requestKey });
      if (isNew) await audit(api, request, 'start run', `${run.id} of ${workflow}`);
      else if (run.workflow !== workflow || !isDeepStrictEqual(run.settings, settings)) {
        throw httpError(
          409,
          'MILLRACE_USAGE',
          `The request key '${requestKey ?? ''}' belongs to run ${run.id} of '${run.workflow}' with its settings. Use a new key`,
        );
      }
      api.poke();
      return shownRun(run, supervisor);
    },
  );
  http.get(
    '/api/v1/runs/:id',
    {
      config: { role: 'viewer', summary: 'A run' },
      schema: { params: RunParams, response: { 200: Run, 404: Problem } },
    },
    async ({ params }) => shownRun(await knownRun(api, params.id), supervisor),
  );
  http.get(
    '/api/v1/runs/:id/view',
    {
      config: { role: 'viewer', summary: 'The graph of a run with its figures, now or at its end' },
      schema: { params: RunParams, response: { 200: RunView, 404: Problem } },
    },
    async ({ params }) => {
      const view = await views.view((await knownRun(api, params.id)).id);
      if (view === undefined) throw notStarted(params.id);
      return {
        ...view,
        tasks: [...view.tasks],
        edges: view.edges.map(shownEdge),
        outline: view.outline && {
          ...view.outline,
          places: [...view.outline.places],
          edges: view.outline.edges.map(shownEdge),
        },
        deadLetters: [...view.deadLetters],
        notes: [...view.notes],
      };
    },
  );
  http.get(
    '/api/v1/runs/:id/history',
    {
      config: { role: 'viewer', summary: 'The work of the tasks of a run over time, and the memory of its process' },
      schema: { params: RunParams, response: { 200: RunHistory, 404: Problem } },
    },
    async ({ params }) => {
      const history = await views.history((await knownRun(api, params.id)).id);
      if (history === undefined) throw notStarted(params.id);
      return history as z.input<typeof RunHistory>;
    },
  );
  http.get(
    '/api/v1/runs/:id/output',
    {
      config: { role: 'operator', summary: 'A part of the output of a process of a run; by default its end' },
      schema: { params: RunParams, querystring: OutputQuery, response: { 200: Output, 404: Problem } },
    },
    async ({ params, query: { process, find, ...places } }) => {
      const run = await knownRun(api, params.id);
      const last = run.incarnationBefore + 1;
      const path = outputFileOf(api.output, run.id, process ?? last);
      const part = find === undefined ? await readOutput(path, places) : await findInOutput(path, find, places.before);
      return { ...part, process: process ?? last };
    },
  );
  http.get(
    '/api/v1/runs/:id/processes',
    {
      config: { role: 'viewer', summary: 'The processes that have worked on a run, oldest first' },
      schema: { params: RunParams, response: { 200: Processes, 404: Problem } },
    },
    async ({ params }) => {
      const { path } = await folderOf(api, params.id);
      const all = await allIncarnations(path);
      return {
        processes: await Promise.all(
          all.map(async (one) => ({
            ...{ number: one.number, host: one.host, pid: one.pid, startedAt: one.startedAt },
            ...{ endedAt: one.endedAt ?? null, outcome: one.outcome ?? null, isAtWork: await isAlive(path, one) },
          })),
        ),
      };
    },
  );
  http.get(
    '/api/v1/runs/:id/report',
    {
      config: { role: 'viewer', summary: 'The report of a run, as an HTML file to be saved' },
      schema: { params: RunParams, response: { 404: Problem } },
    },
    async ({ params }, reply) => {
      const folder = await folderOf(api, params.id);
      const path = await writeReport(folder, { folder: api.runs });
      // Never shown inside of this origin.
      return reply
        .headers(ATTACHMENT)
        .type('text/html; charset=utf-8')
        .send((await readFile(path)) as never);
    },
  );
  http.post(
    '/api/v1/runs/:id/stop',
    {
      config: { role: 'operator', summary: 'Drains or cancels a run' },
      schema: { params: RunParams, body: StopBody, response: { 200: Run, 404: Problem, 409: Problem } },
    },
    async (request) => {
      const { id, state } = await knownRun(api, request.params.id);
      if (!(await supervisor.stop(id, request.body.how))) {
        throw httpError(409, 'MILLRACE_USAGE', `Run ${id} is ${state}: there is nothing to stop`);
      }
      await audit(api, request, `${request.body.how} run`, id);
      api.poke();
      return shownRun(await knownRun(api, id), supervisor);
    },
  );
  http.post(
    '/api/v1/runs/:id/resume',
    {
      config: { role: 'operator', summary: 'Resumes a run that was stopped, failed or interrupted' },
      schema: { params: RunParams, response: { 200: Run, 404: Problem, 409: Problem } },
    },
    async (request) => {
      const { id, state } = await knownRun(api, request.params.id);
      if (!(await supervisor.resume(id))) {
        throw httpError(409, 'MILLRACE_RESUME', `Run ${id} is ${state}: there is nothing to resume`);
      }
      await audit(api, request, 'resume run', id);
      api.poke();
      return shownRun(await knownRun(api, id), supervisor);
    },
  );
}

function shownEdge(edge: EdgeView): z.input<typeof RunView>['edges'][number] {
  return { ...edge, way: [...edge.way] };
}

function notStarted(id: string): Error {
  return httpError(404, 'MILLRACE_UNKNOWN_RUN', `Run ${id} has not started yet`);
}

/** Only registered names and declared keys: a user must not be able to name a file or an address. */
export function assertSettings({ catalog }: Api, workflow: string, settings: Readonly<Record<string, Json>>): void {
  const facts = catalog.workflow(workflow);
  if (facts === undefined) {
    const names = catalog.workflows.map(({ name }) => name);
    const near = nearest(workflow, names);
    const hint = near === undefined ? `Known: ${names.join(', ')}` : `Did you mean '${near}'?`;
    throw httpError(404, 'MILLRACE_UNKNOWN_WORKFLOW', `There is no workflow '${workflow}'. ${hint}`);
  }
  const wrong = Object.keys(settings).find((key) => !facts.params.includes(key));
  if (wrong === undefined) return;
  const may = facts.params.length === 0 ? 'It has no `params`' : `Its \`params\` are ${facts.params.join(', ')}`;
  throw httpError(400, 'MILLRACE_CONFIG', `The key '${wrong}' of '${workflow}' cannot be set for a run. ${may}`);
}
