/** The routes for runs. */
import { open } from 'node:fs/promises';
import { isDeepStrictEqual, stripVTControlCharacters } from 'node:util';
import { groupLetters } from '../../jobs/dead-letters.js';
import { lettersFileOf } from '../../jobs/kept-runs.js';
import { writeReport } from '../../jobs/run-report.js';
import type { Json } from '../../model/json.js';
import { RunFolder } from '../../storage/run-folder.js';
import type { z } from 'zod';
import { nearest } from '../../text/nearest.js';
import { existsSync, lstatSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { outputFileOf } from '../runs/run-processes.js';
import type { StoredRun } from '../runs/stored-run.js';
import { audit, httpError, type Api } from './api.js';
import { shownRun } from './present.js';
import { assertRoom } from './trigger-routes.js';
import {
  LetterGroups,
  Output,
  Problem,
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

/** The most bytes that are returned of the output of a run. */
const OUTPUT_BYTES = 64 * 1024;
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
      config: { role: 'operator', summary: 'Asks for a run' },
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
    async ({ params }) => shownRun(await known(api, params.id), supervisor),
  );
  http.get(
    '/api/v1/runs/:id/view',
    {
      config: { role: 'viewer', summary: 'The graph of a run with its figures, now or at its end' },
      schema: { params: RunParams, response: { 200: RunView, 404: Problem } },
    },
    async ({ params }) => {
      const view = await views.view((await known(api, params.id)).id);
      if (view === undefined) throw notStarted(params.id);
      return {
        ...view,
        tasks: [...view.tasks],
        edges: [...view.edges],
        outline: view.outline && {
          ...view.outline,
          places: [...view.outline.places],
          edges: [...view.outline.edges],
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
      const history = await views.history((await known(api, params.id)).id);
      if (history === undefined) throw notStarted(params.id);
      return history as z.input<typeof RunHistory>;
    },
  );
  http.get(
    '/api/v1/runs/:id/dead-letters',
    {
      config: { role: 'operator', summary: 'The dead letters of a run, by reason' },
      schema: { params: RunParams, response: { 200: LetterGroups, 404: Problem } },
    },
    async ({ params }) => {
      const folder = await folderOf(api, params.id);
      const kind = lstatSync(lettersFileOf(folder), { throwIfNoEntry: false });
      if (kind === undefined) return { groups: [], others: 0 };
      if (!kind.isFile()) throw linked(params.id);
      const { groups, others } = await groupLetters(folder);
      return { groups: [...groups], others };
    },
  );
  http.get(
    '/api/v1/runs/:id/output',
    {
      config: { role: 'operator', summary: 'The end of the output of the last process of a run' },
      schema: { params: RunParams, response: { 200: Output, 404: Problem } },
    },
    async ({ params }) => {
      const run = await known(api, params.id);
      return { text: await lastOutput(outputFileOf(api.output, run.id, run.incarnationBefore + 1)) };
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
      const { id, state } = await known(api, request.params.id);
      if (!(await supervisor.stop(id, request.body.how))) {
        throw httpError(409, 'MILLRACE_USAGE', `Run ${id} is ${state}: there is nothing to stop`);
      }
      await audit(api, request, `${request.body.how} run`, id);
      api.poke();
      return shownRun(await known(api, id), supervisor);
    },
  );
  http.post(
    '/api/v1/runs/:id/resume',
    {
      config: { role: 'operator', summary: 'Resumes a run that was stopped, failed or interrupted' },
      schema: { params: RunParams, response: { 200: Run, 404: Problem, 409: Problem } },
    },
    async (request) => {
      const { id, state } = await known(api, request.params.id);
      if (!(await supervisor.resume(id))) {
        throw httpError(409, 'MILLRACE_RESUME', `Run ${id} is ${state}: there is nothing to resume`);
      }
      await audit(api, request, 'resume run', id);
      api.poke();
      return shownRun(await known(api, id), supervisor);
    },
  );
}

async function known({ store }: Api, id: string): Promise<StoredRun> {
  const run = await store.run(id);
  if (run !== undefined) return run;
  throw httpError(404, 'MILLRACE_UNKNOWN_RUN', `There is no run '${id}'`);
}

function notStarted(id: string): Error {
  return httpError(404, 'MILLRACE_UNKNOWN_RUN', `Run ${id} has not started yet`);
}

/** The folder of a run. Throws status 404 if it has none, or if there are links in it. */
export async function folderOf(api: Api, id: string): Promise<RunFolder> {
  await known(api, id);
  if (!existsSync(join(api.runs, id, 'manifest.json'))) {
    throw httpError(404, 'MILLRACE_UNKNOWN_RUN', `Run ${id} has no folder: it has not started, or was removed`);
  }
  const files = await readdir(join(api.runs, id), { withFileTypes: true });
  if (files.some((file) => file.isSymbolicLink())) throw linked(id);
  return RunFolder.open(api.runs, id);
}

/** A link could lead to any file that the server may read. */
function linked(id: string): Error {
  return httpError(404, 'MILLRACE_FILE', `The folder of run ${id} has links in it, which are not followed`);
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

async function lastOutput(path: string): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(size, OUTPUT_BYTES));
    await file.read(bytes, 0, bytes.length, size - bytes.length);
    return stripVTControlCharacters(bytes.toString('utf8'));
  } finally {
    await file.close();
  }
}
