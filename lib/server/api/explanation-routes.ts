/**
 * The routes that explain a workflow before a run, and a run beside its measures.
 *
 * Guarantees: this process loads no workflow. A run is explained from its folder; a workflow by a process of its own.
 */
import { explanationOf } from '../../jobs/kept-plan.js';
import { codeOf, describeThrown } from '../../model/errors.js';
import { crashText, type Explanation as Explained } from '../../observe/report/explanation.js';
import type { z } from 'zod';
import { httpError, type Api } from './api.js';
import { folderOf } from './known-run.js';
import { Explanation, Problem, RunParams, WorkflowParams } from './schemas.js';

export function explanationRoutes(api: Api): void {
  const { http, catalog, runs } = api;
  http.get(
    '/api/v1/workflows/:workflow/explanation',
    {
      config: {
        role: 'operator',
        summary: 'The plan of a workflow, beside the measures of its last run',
        workflows: 'required',
      },
      schema: { params: WorkflowParams, response: { 200: Explanation, 404: Problem, 409: Problem } },
    },
    async ({ params: { workflow } }) => {
      if (catalog.workflow(workflow) === undefined) {
        throw httpError(404, 'MILLRACE_UNKNOWN_WORKFLOW', `There is no workflow '${workflow}'`);
      }
      const found = await catalog.explain(workflow, runs);
      if (typeof found !== 'string') return shown(found);
      throw httpError(409, 'MILLRACE_CONFIG', `'${workflow}' cannot be explained: ${found}`);
    },
  );
  http.get(
    '/api/v1/runs/:id/explanation',
    {
      config: { role: 'viewer', summary: 'The plan of a run, and after its end what was measured beside it' },
      schema: { params: RunParams, response: { 200: Explanation, 404: Problem } },
    },
    async ({ params: { id } }) => {
      const folder = await folderOf(api, id);
      // A damaged file is a fault of the run, and not of the server.
      const found = await explanationOf(folder).catch((error: unknown) => {
        throw httpError(404, codeOf(error), describeThrown(error));
      });
      if (found !== undefined) return shown(found);
      throw httpError(404, 'MILLRACE_UNKNOWN_RUN', `Run ${id} has no plan: an earlier version of millrace started it`);
    },
  );
}

function shown(explanation: Explained): z.input<typeof Explanation> {
  const { criticalPath, memory, afterCrash, unrepeatable } = explanation;
  return {
    ...explanation,
    criticalPath: { ...criticalPath, tasks: [...criticalPath.tasks] },
    memory: [...memory],
    afterCrash: afterCrash.map((one) => ({ task: one.task, text: crashText(one) })),
    unrepeatable: [...unrepeatable],
  };
}
