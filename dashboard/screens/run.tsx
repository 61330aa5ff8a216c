/** One run: its graph, live, its figures, logs, dead letters and processes. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { follow, post, save, type Run as RunRow, type RunHistory, type RunView } from '../api.js';
import { duration, grouped, moment, percent } from '../format.js';
import { useData, useNow } from '../parts/data.js';
import { Explanation } from '../parts/explanation.js';
import { Charts } from '../parts/charts.js';
import { Timeline } from '../parts/timeline.js';
import { Graph, TaskTable } from '../parts/graph.js';
import { Letters } from '../parts/letters.js';
import { Output } from '../parts/output.js';
import { Processes } from '../parts/processes.js';
import { Why } from '../parts/why.js';
import { Loading, Notice, State } from '../parts/state.js';
import { go, route } from '../router.js';

const TABS = [
  ...(['figures', 'timeline', 'charts', 'plan', 'logs', 'dead letters', 'why', 'processes', 'notes'] as const),
  'configuration',
] as const;
type Tab = (typeof TABS)[number];

export function Run({ id }: { readonly id: string }): JSX.Element {
  const { data: run, error, reload } = useData<RunRow>(`/runs/${encodeURIComponent(id)}`);
  const [view, setView] = useState<RunView>();
  const now = useNow();
  useEffect(() => {
    setView(undefined);
    return follow(id, setView);
  }, [id]);
  // A large view is drawn when it changes, and not each second with the time.
  const parts = useMemo(
    () =>
      view === undefined || run === undefined ? undefined : (
        <>
          <Facts view={view} />
          <Graph view={view} />
          <Details run={run} view={view} reload={reload} />
        </>
      ),
    [run, view],
  );
  if (run === undefined) return <Loading error={error} />;
  const isOpen = run.endedAt === null;
  const isStopped = ['failed', 'drained', 'cancelled', 'interrupted'].includes(run.state);
  return (
    <>
      <h1>
        <a href={`#/workflows/${encodeURIComponent(run.workflow)}`}>{run.workflow}</a> <State state={run.state} />
      </h1>
      <p class="quiet">
        Run {run.id} · {startOf(run)}
        {run.scheduledFor === null ? '' : ` · for ${moment(run.scheduledFor)}`}
        {run.startedAt === null ? '' : ` · ${duration((run.endedAt ?? now) - run.startedAt)}`}
        {view !== undefined && view.incarnations > 1 ? ` · process ${view.incarnations} of this run` : ''}
      </p>
      <Notice error={run.problem || error} />
      {run.waitsFor !== '' && <p>{run.waitsFor}</p>}
      <Actions run={run} isOpen={isOpen} isStopped={isStopped} reload={reload} />
      {parts ?? (
        <>
          <p class="quiet">{isOpen ? 'The run has not started yet' : 'The run has left no events'}</p>
          {run.state !== 'queued' && <Output id={id} isOpen={isOpen} />}
        </>
      )}
    </>
  );
}

/** The origin of the run, in words. */
function startOf({ schedule, triggeredBy, subject, askedBy, origin }: RunRow): string {
  if (triggeredBy !== null) return `${triggeredBy}, by ${subject ?? ''}`;
  return schedule ?? (askedBy || origin);
}

interface ActionProps {
  readonly run: RunRow;
  readonly isOpen: boolean;
  readonly isStopped: boolean;
  readonly reload: () => void;
}

function Actions({ run, isOpen, isStopped, reload }: ActionProps): JSX.Element {
  const [error, setError] = useState('');
  const act = (work: () => Promise<unknown>) => () => {
    setError('');
    work().then(reload, (failure: unknown) => {
      setError((failure as Error).message);
    });
  };
  const path = `/runs/${encodeURIComponent(run.id)}`;
  return (
    <div class="actions">
      {isOpen && (
        <>
          <button
            type="button"
            disabled={run.stopWish !== null}
            onClick={act(() => post(`${path}/stop`, { how: 'drain' }))}
          >
            Drain
          </button>
          <button type="button" onClick={act(() => post(`${path}/stop`, { how: 'cancel' }))}>
            Cancel
          </button>
        </>
      )}
      {isStopped && (
        <button class="main" type="button" onClick={act(() => post(`${path}/resume`))}>
          Resume
        </button>
      )}
      {!isOpen && (
        <button type="button" onClick={act(() => save(`${path}/report`, `${run.id}.html`))}>
          Save the report
        </button>
      )}
      <a href={`#/workflows/${encodeURIComponent(run.workflow)}?start=${encodeURIComponent(run.id)}`}>Run again…</a>
      <Others run={run} />
      {run.stopWish !== null && <span role="status">The run was asked to {run.stopWish}</span>}
      <Notice error={error} />
    </div>
  );
}

/** A form that compares this run with another run of the workflow. */
function Others({ run }: { readonly run: RunRow }): JSX.Element | null {
  const { data } = useData<{ runs: readonly RunRow[] }>(`/runs?workflow=${encodeURIComponent(run.workflow)}&limit=20`);
  const others = data?.runs.filter(({ id, startedAt }) => id !== run.id && startedAt !== null) ?? [];
  // Newest first.
  const index = data?.runs.findIndex(({ id }) => id === run.id) ?? -1;
  const later = index > 0 ? data?.runs[index - 1] : undefined;
  const earlier = index >= 0 ? data?.runs[index + 1] : undefined;
  if (others.length === 0 || run.startedAt === null) return null;
  const tab = route.value.query.get('tab');
  const query = tab === null ? '' : `?tab=${encodeURIComponent(tab)}`;
  return (
    <form
      class="actions"
      onSubmit={(event) => {
        event.preventDefault();
        const other = new FormData(event.currentTarget).get('other');
        if (typeof other === 'string') go(`/compare/${encodeURIComponent(other)}/${encodeURIComponent(run.id)}`);
      }}
    >
      <label for="other">Compare with</label>{' '}
      <select id="other" name="other">
        {others.map(({ id, state, startedAt }) => (
          <option key={id} value={id}>
            {moment(startedAt ?? 0)}, {state}
          </option>
        ))}
      </select>{' '}
      <button type="submit">Compare</button>
      {earlier !== undefined && (
        <a rel="prev" href={`#/runs/${encodeURIComponent(earlier.id)}${query}`}>
          ← earlier run
        </a>
      )}
      {later !== undefined && (
        <a rel="next" href={`#/runs/${encodeURIComponent(later.id)}${query}`}>
          later run →
        </a>
      )}
    </form>
  );
}

function Facts({ view }: { readonly view: RunView }): JSX.Element {
  const { bottleneck, outcome } = view;
  return (
    <ul class="facts">
      <li>
        {grouped(view.settled)} of {grouped(view.born)} records settled, {grouped(view.inFlight)} in flight
      </li>
      <li>
        <span aria-hidden="true">{view.isConserved ? '✓' : '✕'}</span> in = out + skipped + dead letters + in flight
        {view.isConserved ? ' holds' : ' does not hold'}
      </li>
      {view.readShare !== null && (
        <li>
          <progress value={view.readShare} max={1} aria-label="Read of the input" /> {percent(view.readShare)} read
        </li>
      )}
      {bottleneck !== null && (
        <li>
          <strong>{bottleneck.task}</strong> {outcome === null ? 'is' : 'was'} the bottleneck:{' '}
          {percent(bottleneck.load)} of its capacity {outcome === null ? 'is' : 'was'} used
        </li>
      )}
    </ul>
  );
}

interface DetailsProps {
  readonly run: RunRow;
  readonly view: RunView;
  readonly reload: () => void;
}

function Details({ run, view, reload }: DetailsProps): JSX.Element {
  const { id } = run;
  const given = route.value.query.get('tab');
  const tab: Tab = TABS.find((one) => one === given) ?? 'figures';
  return (
    <>
      <nav class="tabs" aria-label="Details of the run">
        {TABS.map((one) => (
          <a
            key={one}
            href={`#/runs/${encodeURIComponent(id)}?tab=${encodeURIComponent(one)}`}
            aria-current={one === tab ? 'page' : undefined}
          >
            {one}
          </a>
        ))}
      </nav>
      {tab === 'figures' && <TaskTable view={view} />}
      {(tab === 'timeline' || tab === 'charts') && <History id={id} view={view} tab={tab} />}
      {tab === 'plan' && <Explanation path={`/runs/${encodeURIComponent(id)}/explanation`} />}
      {tab === 'dead letters' && <Letters run={run} reload={reload} />}
      {tab === 'logs' && <Output id={id} isOpen={run.endedAt === null} />}
      {tab === 'why' && <Why id={id} />}
      {tab === 'processes' && <Processes id={id} />}
      {tab === 'notes' && (
        <ul>
          {view.notes.length === 0 && <li class="quiet">None</li>}
          {view.notes.map(({ at, text }, index) => (
            <li key={index}>
              <span class="quiet">{moment(at)}</span> {text}
            </li>
          ))}
        </ul>
      )}
      {tab === 'configuration' && <pre tabIndex={0}>{JSON.stringify(view.config, null, 2)}</pre>}
    </>
  );
}

/** The time between two requests for the history of a run that is at work. */
const HISTORY_MS = 3000;

function History({ id, view, tab }: { readonly id: string; readonly view: RunView; readonly tab: Tab }): JSX.Element {
  const { data, error, reload } = useData<RunHistory>(`/runs/${encodeURIComponent(id)}/history`);
  useEffect(() => {
    if (
      data !== undefined &&
      (view.seenAt - data.to > HISTORY_MS || (view.outcome !== null && view.seenAt > data.to))
    ) {
      reload();
    }
  }, [view.seenAt]);
  if (data === undefined) return <Loading error={error} />;
  return tab === 'timeline' ? <Timeline history={data} /> : <Charts history={data} />;
}
