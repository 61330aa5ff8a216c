/** The route for the queue: the runs that wait, those at work, and the places that they share. */
import { priorityOf } from '../runs/queue.js';
import { ACTIVE_STATES, isAtWork, type StoredRun } from '../runs/stored-run.js';
import type { Api } from './api.js';
import { shownRun } from './present.js';
import { Queue } from './schemas.js';

const MOST_SHOWN = 500;

export function queueRoutes(api: Api): void {
  const { http, store, supervisor, catalog, maxRuns, pools } = api;
  http.get(
    '/api/v1/queue',
    {
      config: {
        role: 'viewer',
        summary: 'The runs that wait and those at work, with the pools whose places they take',
      },
      schema: { response: { 200: Queue } },
    },
    async () => {
      const runs = await store.runs({ states: ACTIVE_STATES, limit: MOST_SHOWN, oldestFirst: true });
      const poolsOf = ({ workflow }: StoredRun): readonly string[] => catalog.workflow(workflow)?.serving.pools ?? [];
      const atWork = runs.filter(isAtWork);
      return {
        maxRuns,
        pools: [...pools].map(([name, size]) => ({
          name,
          size,
          runs: atWork.filter((run) => poolsOf(run).includes(name)).map(({ id }) => id),
        })),
        runs: runs.map((run) => ({
          run: shownRun(run, supervisor),
          pools: [...poolsOf(run)],
          priority: priorityOf(run, catalog.workflow(run.workflow)?.serving),
        })),
      };
    },
  );
}
