/** Runs, newest first, page by page. */
import type { JSX } from 'preact';
import type { Overview, Run, Workflows } from '../api.js';
import { duration, grouped, moment, relative } from '../format.js';
import { useData, useNow } from '../parts/data.js';
import { Notice, State } from '../parts/state.js';
import { go, route } from '../router.js';

const STATES: readonly (keyof Overview['counts'])[] = [
  'queued',
  'starting',
  'running',
  'completed',
  'failed',
  'drained',
  'cancelled',
  'interrupted',
];

export function Runs(): JSX.Element {
  const { query } = route.value;
  const { data, error } = useData<{ runs: readonly Run[]; before: string | null }>(`/runs?${filtersOf(query)}`);
  const known = useData<Workflows>('/workflows').data?.workflows.map(({ name }) => name) ?? [];
  const given = query.get('workflow');
  // A run of a workflow that no longer exists is still there.
  const names = given === null || known.includes(given) ? known : [...known, given];
  const now = useNow();
  const withParam = (name: string, value: string): string => {
    const next = new URLSearchParams(query);
    if (name !== 'before') next.delete('before');
    if (value === '') next.delete(name);
    else next.set(name, value);
    return `/runs?${next.toString()}`;
  };
  return (
    <>
      <h1>
        Runs
        {query.get('workflow') === null ? '' : ` of ${query.get('workflow') ?? ''}`}
        {query.get('backfill') === null ? '' : ` of backfill ${query.get('backfill') ?? ''}`}
      </h1>
      <p>
        <label for="state">State</label>{' '}
        <select
          id="state"
          value={query.get('state') ?? ''}
          onChange={(event) => {
            go(withParam('state', event.currentTarget.value));
          }}
        >
          <option value="">all</option>
          {STATES.map((state) => (
            <option key={state}>{state}</option>
          ))}
        </select>{' '}
        <label for="workflow">Workflow</label>{' '}
        <select
          id="workflow"
          value={query.get('workflow') ?? ''}
          onChange={(event) => {
            go(withParam('workflow', event.currentTarget.value));
          }}
        >
          <option value="">all</option>
          {names.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>{' '}
        {query.get('workflow') !== null && <a href={`#${withParam('workflow', '')}`}>All workflows</a>}
        {query.get('backfill') !== null && <a href={`#${withParam('backfill', '')}`}>All runs</a>}
      </p>
      <Notice error={error} />
      {data?.runs.length === 0 && <p class="quiet">No run matches</p>}
      {data !== undefined && data.runs.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Runs">
          <table>
            <thead>
              <tr>
                {['run', 'workflow', 'state', 'by', 'queued', 'duration', 'dead letters', 'problem'].map((title) => (
                  <th class={title === 'duration' || title === 'dead letters' ? 'number' : ''} scope="col" key={title}>
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {data.runs.map((run) => (
                <tr key={run.id}>
                  <th scope="row">
                    <a href={`#/runs/${run.id}`}>{run.id}</a>
                  </th>
                  <td>
                    <a href={`#/workflows/${encodeURIComponent(run.workflow)}`}>{run.workflow}</a>
                  </td>
                  <td>
                    <State state={run.state} />
                  </td>
                  <td>{run.schedule ?? run.triggeredBy ?? (run.askedBy || run.origin)}</td>
                  <td title={moment(run.queuedAt)}>{relative(run.queuedAt, now)}</td>
                  <td class="number">{run.startedAt === null ? '' : duration((run.endedAt ?? now) - run.startedAt)}</td>
                  <td class="number">
                    {run.deadLetters > 0 && (
                      <a
                        href={`#/runs/${run.id}?tab=dead%20letters`}
                        aria-label={`${grouped(run.deadLetters)} dead letters of run ${run.id}`}
                      >
                        {grouped(run.deadLetters)}
                      </a>
                    )}
                  </td>
                  <td class="problem">{run.problem || run.waitsFor}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {typeof data?.before === 'string' && (
        <a rel="next" href={`#${withParam('before', data.before)}`}>
          Older runs
        </a>
      )}
    </>
  );
}

/** The query without what belongs to the page. */
function filtersOf(query: URLSearchParams): string {
  const filters = new URLSearchParams(query);
  filters.delete('zone');
  return filters.toString();
}
