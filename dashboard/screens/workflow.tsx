/** One workflow: its runs and their durations, its schedules, triggers and params, and the graph of its newest run. */
import type { JSX } from 'preact';
import type { Run, RunView, Trigger, Workflow as Facts, Workflows } from '../api.js';
import { duration, grouped, moment } from '../format.js';
import { useData } from '../parts/data.js';
import { Graph } from '../parts/graph.js';
import { inWords, schemaOf } from '../parts/param-schema.js';
import { Rates, spanOf } from '../parts/rates.js';
import { ScheduleCard } from '../parts/schedule-card.js';
import { StartForm } from '../parts/start-form.js';
import { Loading, Notice, State } from '../parts/state.js';
import { go, route, withParam } from '../router.js';

const [LEFT, STEP, HEIGHT] = [80, 22, 140];

export function Workflow({ name }: { readonly name: string }): JSX.Element {
  const { data, error, reload } = useData<Workflows>('/workflows');
  const start = route.value.query.get('start');
  if (data === undefined) return <Loading error={error} />;
  const workflow = data.workflows.find((one) => one.name === name);
  if (workflow === undefined) {
    return (
      <>
        <h1>{name}</h1>
        {data.isDescribed ? (
          <Notice error="There is no workflow of this name" />
        ) : (
          <p class="quiet">The server still reads its workflows…</p>
        )}
        {data.problems.map((problem) => (
          <Notice key={problem} error={problem} />
        ))}
        <p>
          <a href={`#/runs?workflow=${encodeURIComponent(name)}`}>Its runs, if there were any</a>
        </p>
      </>
    );
  }
  return (
    <>
      <h1>{name}</h1>
      <p>{workflow.description}</p>
      <p class="quiet">{workflow.from === 'registered' ? 'Registered in the package' : `From ${workflow.from}`}</p>
      <Notice error={error} />
      <p class="actions">
        <button
          type="button"
          class="main"
          data-key="t"
          aria-expanded={start !== null}
          onClick={() => {
            go(withParam('start', start === null ? 'new' : ''));
          }}
        >
          Start a run…
        </button>
        <a href={`#/runs?workflow=${encodeURIComponent(name)}`}>All its runs</a>
      </p>
      {start !== null && (
        <section class="card" aria-label="Start a run">
          {start === 'new' ? <StartForm workflow={workflow} /> : <StartAgain workflow={workflow} id={start} />}
        </section>
      )}
      <h2>Newest runs</h2>
      <Durations runs={workflow.recent} />
      <Rates runs={workflow.recent} />
      <h2>Schedules</h2>
      {workflow.schedules.length === 0 && (
        <p class="quiet">
          None. A workflow states them in <code>schedules</code>, or <a href="#/schedules">make one</a>
        </p>
      )}
      <ul class="workflows">
        {workflow.schedules.map((schedule) => (
          <ScheduleCard key={schedule.id} schedule={schedule} reload={reload} />
        ))}
      </ul>
      <TriggersOf name={name} />
      <Params workflow={workflow} />
      <Overview runs={workflow.recent} />
    </>
  );
}

/** The form with the settings of a run, if a user has given them: others may refer to the environment. */
function StartAgain({ workflow, id }: { readonly workflow: Facts; readonly id: string }): JSX.Element {
  const { data: run, error } = useData<Run>(`/runs/${encodeURIComponent(id)}`, 'once');
  // The fields are filled once, so the form waits for the run.
  if (run === undefined && error === '') return <Notice error="" />;
  const isRequest = run?.origin === 'request';
  return (
    <>
      <Notice error={error} />
      {run !== undefined && (
        <p class="quiet">
          {isRequest
            ? `With the settings of run ${run.id}`
            : `Run ${run.id} was not started by a user: its settings are not repeated`}
        </p>
      )}
      <StartForm workflow={workflow} settings={isRequest ? run.settings : {}} />
    </>
  );
}

/** A bar per run, oldest first; its height is the duration. */
function Durations({ runs }: { readonly runs: readonly Run[] }): JSX.Element {
  const shown = [...runs].reverse();
  const longest = Math.max(1000, ...shown.map(spanOf));
  if (shown.length === 0) return <p class="quiet">Never run</p>;
  const width = LEFT + Math.max(shown.length, 10) * STEP + 10;
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label="Durations of the newest runs">
        <svg width={width} height={HEIGHT} role="group" aria-label={`Durations of ${shown.length} runs, oldest first`}>
          {[0, 0.5, 1].map((share) => (
            <g key={share} aria-hidden="true">
              <line class="grid" x1={LEFT} x2={width} y1={HEIGHT - 10 - share * 110} y2={HEIGHT - 10 - share * 110} />
              <text class="quiet" x={LEFT - 6} y={HEIGHT - 6 - share * 110} text-anchor="end">
                {duration(share * longest)}
              </text>
            </g>
          ))}
          {shown.map((run, index) => {
            const height = Math.max(3, (110 * spanOf(run)) / longest);
            const label = `${run.state}, ${duration(spanOf(run))}, ${moment(run.queuedAt)}`;
            return (
              <a key={run.id} href={`#/runs/${run.id}`} aria-label={`Run ${run.id}: ${label}`}>
                <title>{label}</title>
                <rect
                  class={`mark ${run.state}`}
                  x={LEFT + 4 + index * STEP}
                  y={HEIGHT - 10 - height}
                  width={STEP - 6}
                  height={height}
                  rx="2"
                />
              </a>
            );
          })}
        </svg>
      </div>
      <p>
        The newest: <State state={shown.at(-1)?.state ?? 'queued'} />{' '}
        <a href={`#/runs/${shown.at(-1)?.id ?? ''}`}>{shown.at(-1)?.id}</a>
        {(shown.at(-1)?.deadLetters ?? 0) > 0 && `, ${grouped(shown.at(-1)?.deadLetters ?? 0)} dead letters`}
      </p>
    </>
  );
}

function TriggersOf({ name }: { readonly name: string }): JSX.Element | null {
  const { data } = useData<{ triggers: readonly Trigger[] }>('/triggers');
  const own = data?.triggers.filter(({ workflow }) => workflow === name) ?? [];
  if (own.length === 0) return null;
  return (
    <>
      <h2>Triggers</h2>
      <ul>
        {own.map(({ id, rule, problem, pause }) => (
          <li key={id}>
            <a href="#/triggers">{id}</a>: <code>{rule}</code>
            {pause !== null && ' ⏸ paused'}
            {problem !== '' && ` ⚠ ${problem}`}
          </li>
        ))}
      </ul>
    </>
  );
}

function Params({ workflow }: { readonly workflow: Facts }): JSX.Element | null {
  const { params } = workflow;
  if (params.length === 0) return null;
  return (
    <>
      <h2>Params: what users may set</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Params">
        <table>
          <thead>
            <tr>
              <th scope="col">key</th>
              <th scope="col">value</th>
              <th scope="col">default</th>
            </tr>
          </thead>
          <tbody>
            {params.map((key) => {
              const schema = schemaOf(workflow, key);
              return (
                <tr key={key}>
                  <th scope="row">{key}</th>
                  <td class="problem">{inWords(schema)}</td>
                  <td>{schema.default === undefined ? '' : JSON.stringify(schema.default)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Overview({ runs }: { readonly runs: readonly Run[] }): JSX.Element | null {
  const run = runs.find(({ startedAt }) => startedAt !== null);
  if (run === undefined) return null;
  return <NewestGraph id={run.id} />;
}

function NewestGraph({ id }: { readonly id: string }): JSX.Element | null {
  const { data } = useData<RunView>(`/runs/${encodeURIComponent(id)}/view`);
  if (data === undefined) return null;
  return (
    <>
      <h2>
        Graph, with the figures of <a href={`#/runs/${id}`}>its newest run</a>
      </h2>
      <Graph view={data} />
    </>
  );
}
