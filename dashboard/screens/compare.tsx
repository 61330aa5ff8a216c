/** Two runs side by side: times, counts per task, reasons of dead letters, and differences of their configurations. */
import type { JSX } from 'preact';
import type { Run, RunView, TaskView } from '../api.js';
import { duration, grouped, moment, rate } from '../format.js';
import { useData } from '../parts/data.js';
import { Notice, State } from '../parts/state.js';

interface Side {
  readonly run: Run;
  /** Undefined for a run that has left no events. */
  readonly view: RunView | undefined;
}

export function Compare({ ids }: { readonly ids: readonly [string, string] }): JSX.Element {
  const [one, two] = [useSide(ids[0]), useSide(ids[1])];
  const problem = one.error || two.error;
  if (one.side === undefined || two.side === undefined) return <Notice error={problem} />;
  const sides = [one.side, two.side] as const;
  return (
    <>
      <h1>Comparison of two runs</h1>
      <Notice error={problem} />
      <p>
        <a href={`#/compare/${encodeURIComponent(ids[1])}/${encodeURIComponent(ids[0])}`}>Exchange the sides</a>
      </p>
      <Facts sides={sides} />
      <h2>Tasks</h2>
      <Tasks views={[sides[0].view, sides[1].view]} />
      <h2>Dead letters</h2>
      <Letters views={[sides[0].view, sides[1].view]} />
      <h2>Configuration</h2>
      <Differences sides={sides} />
    </>
  );
}

function useSide(id: string): { readonly side: Side | undefined; readonly error: string } {
  const path = `/runs/${encodeURIComponent(id)}`;
  const run = useData<Run>(path);
  const view = useData<RunView>(`${path}/view`);
  if (run.data === undefined) return { side: undefined, error: run.error };
  return { side: { run: run.data, view: view.data }, error: run.error };
}

function Facts({ sides }: { readonly sides: readonly [Side, Side] }): JSX.Element {
  const rows: readonly (readonly [string, (side: Side) => string])[] = [
    ['started', ({ run }) => (run.startedAt === null ? '' : moment(run.startedAt))],
    ['covers until', ({ run }) => (run.coversTo === null ? '' : moment(run.coversTo))],
    ['by', ({ run }) => run.schedule ?? run.triggeredBy ?? (run.askedBy || run.origin)],
    ['waited', ({ run }) => (run.startedAt === null ? '' : duration(run.startedAt - run.queuedAt))],
    ['duration', ({ run }) => (run.startedAt === null ? '' : duration((run.endedAt ?? Date.now()) - run.startedAt))],
    ['processes', ({ view }) => (view === undefined ? '' : String(view.incarnations))],
    ['records settled', ({ view, run }) => grouped(view?.settled ?? run.settled)],
    ['dead letters', ({ run }) => grouped(run.deadLetters)],
    ['bottleneck', ({ view }) => view?.bottleneck?.task ?? ''],
    ['problem', ({ run }) => run.problem],
  ];
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Facts of the two runs">
      <table>
        <thead>
          <tr>
            <td />
            {sides.map(({ run }, index) => (
              <th scope="col" key={index}>
                <a href={`#/runs/${encodeURIComponent(run.id)}`}>{run.id}</a>
                <br />
                {run.workflow} <State state={run.state} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([title, words]) => {
            const [left, right] = [words(sides[0]), words(sides[1])];
            return left === '' && right === '' ? null : (
              <tr key={title} class={left === right ? '' : 'differs'}>
                <th scope="row">{title}</th>
                <td class="problem">{left}</td>
                <td class="problem">{right}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

type Views = readonly [RunView | undefined, RunView | undefined];

function Tasks({ views }: { readonly views: Views }): JSX.Element {
  const names = [...new Set(views.flatMap((view) => view?.tasks.map(({ name }) => name) ?? []))];
  if (names.length === 0) return <p class="quiet">Neither run has left events</p>;
  const columns: readonly (readonly [string, (task: TaskView) => number, (value: number) => string])[] = [
    ['out', ({ out }) => out, grouped],
    ['skipped', ({ skipped }) => skipped, grouped],
    ['dead letters', ({ deadLettered }) => deadLettered, grouped],
    ['records/s', ({ averagePerSecond }) => averagePerSecond, rate],
    ['p95', ({ p95 }) => p95 ?? Number.NaN, (ms) => `${ms < 10 ? ms.toFixed(1) : grouped(ms)} ms`],
  ];
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Figures of the tasks of both runs">
      <table>
        <thead>
          <tr>
            <th scope="col">task</th>
            {columns.flatMap(([title]) => [
              <th scope="col" key={title}>
                {title}
              </th>,
              <th scope="col" key={`${title} change`}>
                change
              </th>,
            ])}
          </tr>
        </thead>
        <tbody>
          {names.map((name) => {
            const [left, right] = views.map((view) => view?.tasks.find((task) => task.name === name));
            return (
              <tr key={name}>
                <th scope="row">
                  {name}
                  {left === undefined && ' (only in the second)'}
                  {right === undefined && ' (only in the first)'}
                </th>
                {columns.flatMap(([title, pick, words]) => {
                  const [a, b] = [left, right].map((task) => (task === undefined ? Number.NaN : pick(task)));
                  const shown = [a, b].map((value) => (Number.isFinite(value) ? words(value as number) : '–'));
                  return [
                    <td class="number" key={title}>
                      {shown[0] === shown[1] ? shown[0] : `${shown[0] ?? ''} → ${shown[1] ?? ''}`}
                    </td>,
                    <td class="number" key={`${title} change`}>
                      {changeOf(a ?? Number.NaN, b ?? Number.NaN)}
                    </td>,
                  ];
                })}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** `+12 %`; '' where nothing changed or one side is missing. */
function changeOf(from: number, to: number): string {
  if (!Number.isFinite(from) || !Number.isFinite(to) || from === to) return '';
  if (from === 0) return 'new';
  const share = Math.round((to / from - 1) * 100);
  return share === 0 ? '' : `${share > 0 ? '+' : '−'}${grouped(Math.abs(share))} %`;
}

function Letters({ views }: { readonly views: Views }): JSX.Element {
  const keyOf = ({ task, code, message }: RunView['deadLetters'][number]): string =>
    JSON.stringify([task, code, message]);
  const counts = views.map((view) => new Map((view?.deadLetters ?? []).map((one) => [keyOf(one), one.count])));
  const reasons = new Map(views.flatMap((view) => view?.deadLetters ?? []).map((one) => [keyOf(one), one]));
  if (reasons.size === 0) return <p class="quiet">Neither run has dead letters</p>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Dead letters of both runs">
      <table>
        <thead>
          <tr>
            {['task', 'code', 'message', 'first run', 'second run'].map((title) => (
              <th scope="col" key={title}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {[...reasons].map(([key, { task, code, message }]) => (
            <tr key={key} class={counts[0]?.get(key) === counts[1]?.get(key) ? '' : 'differs'}>
              <th scope="row">{task}</th>
              <td>{code}</td>
              <td class="problem">{message}</td>
              {counts.map((count, index) => (
                <td class="number" key={index}>
                  {grouped(count.get(key) ?? 0)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Differences({ sides }: { readonly sides: readonly [Side, Side] }): JSX.Element {
  const [left, right] = sides.map(
    // The configuration contains the settings. A run that has not started has only its settings.
    ({ run, view }) => new Map(leavesOf('', view?.config ?? run.settings)),
  );
  const paths = [...new Set([...(left?.keys() ?? []), ...(right?.keys() ?? [])])].sort();
  const different = paths.filter((path) => left?.get(path) !== right?.get(path));
  if (different.length === 0) return <p class="quiet">The configurations and settings of the two runs are the same</p>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Differences of the configurations">
      <table>
        <thead>
          <tr>
            {['key', 'first run', 'second run'].map((title) => (
              <th scope="col" key={title}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {different.map((path) => (
            <tr key={path}>
              <th scope="row">
                <code>{path}</code>
              </th>
              {[left, right].map((leaves, index) => (
                <td class="problem" key={index}>
                  {leaves?.get(path) ?? <span class="quiet">not set</span>}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The values of a configuration as JSON, by their paths: `a.b`. */
function leavesOf(path: string, value: unknown): readonly (readonly [string, string])[] {
  if (value === undefined) return [];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, part]) => leavesOf(path === '' ? key : `${path}.${key}`, part));
}
