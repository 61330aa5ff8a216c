/** Charts of a run over time: records per second and latency of one task, memory and event loop of the process. */
import type { JSX } from 'preact';
import type { RunHistory } from '../api.js';
import { grouped, rate } from '../format.js';
import { go, route } from '../router.js';
import { placeOf, TimeAxis } from './axis.js';

const [LEFT, WIDTH, HEIGHT] = [70, 560, 170];
const MEGABYTE = 2 ** 20;

/** The last stretch of a process may be so short that a single record would be a thousand per second. */
const SHORTEST_MS = 100;

interface Line {
  readonly name: string;
  readonly points: readonly (readonly [at: number, value: number])[];
}

export function Charts({ history }: { readonly history: RunHistory }): JSX.Element {
  const { tasks, stretches, resources } = history;
  const { path, query } = route.value;
  const busiest = tasks.map((_, index) => stretches.reduce((sum, { busy }) => sum + (busy[index] ?? 0), 0));
  const given = tasks.indexOf(query.get('task') ?? '');
  const index = given >= 0 ? given : busiest.indexOf(Math.max(0, ...busiest));
  const name = tasks[index] ?? '';
  const speeds = stretches
    .filter(({ from, to }) => to - from >= SHORTEST_MS)
    .map(({ from, to, done }) => [to, ((done[index] ?? 0) * 1000) / (to - from)] as const);
  const latencies = stretches.flatMap(({ to, p95 }) => {
    const ms = p95[index];
    return typeof ms === 'number' ? [[to, ms] as const] : [];
  });
  const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : grouped(value)} ms`;
  const megabytes = (value: number): string => `${grouped(value)} MB`;
  return (
    <>
      <p>
        <label for="task">Task</label>{' '}
        <select
          id="task"
          value={name}
          onChange={({ currentTarget }) => {
            const next = new URLSearchParams(query);
            next.set('task', currentTarget.value);
            go(`/${path.map(encodeURIComponent).join('/')}?${next.toString()}`);
          }}
        >
          {tasks.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </p>
      <div class="charts">
        <Chart
          title={`Records per second of ${name}`}
          history={history}
          words={rate}
          lines={[{ name: '', points: speeds }]}
        />
        <Chart
          title={`p95 latency of ${name}`}
          history={history}
          words={ms}
          lines={[{ name: '', points: latencies }]}
        />
        <Chart
          title="Memory of the process"
          history={history}
          words={megabytes}
          lines={[
            { name: 'resident', points: resources.map(({ at, rssBytes }) => [at, rssBytes / MEGABYTE] as const) },
            { name: 'heap', points: resources.map(({ at, heapUsedBytes }) => [at, heapUsedBytes / MEGABYTE] as const) },
          ]}
        />
        <Chart
          title="p99 delay of the event loop"
          history={history}
          words={ms}
          lines={[{ name: '', points: resources.map(({ at, delayMs }) => [at, delayMs] as const) }]}
        />
      </div>
    </>
  );
}

interface ChartProps {
  readonly title: string;
  readonly history: RunHistory;
  readonly lines: readonly Line[];
  readonly words: (value: number) => string;
}

function Chart({ title, history, lines, words }: ChartProps): JSX.Element {
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value));
  const top = niceTop(Math.max(0, ...values));
  const x = placeOf(history, LEFT, WIDTH);
  const bottom = HEIGHT - 22;
  const y = (value: number): number => bottom - (value / top) * (bottom - 12);
  const facts = lines.map(({ name, points }) => {
    const last = points.at(-1)?.[1];
    if (last === undefined) return `${name} not measured`;
    return `${name} last ${words(last)}, highest ${words(Math.max(...points.map(([, value]) => value)))}`.trim();
  });
  return (
    <figure class="card">
      <figcaption>
        <strong>{title}</strong> <span class="quiet">{facts.join('; ')}</span>
      </figcaption>
      <svg viewBox={`0 0 ${LEFT + WIDTH + 30} ${HEIGHT}`} role="img" aria-label={`${title}: ${facts.join('; ')}`}>
        <TimeAxis {...history} left={LEFT} width={WIDTH} height={HEIGHT} />
        {[0, top / 2, top].map((value) => (
          <g key={value}>
            <line class="grid" x1={LEFT} x2={LEFT + WIDTH} y1={y(value)} y2={y(value)} />
            <text class="quiet" x={LEFT - 6} y={y(value) + 4} text-anchor="end">
              {words(value)}
            </text>
          </g>
        ))}
        {lines.map(({ name, points }, index) => (
          <polyline
            key={name}
            class={`line line-${index}`}
            points={points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ')}
          />
        ))}
        {lines.length > 1 &&
          lines.map(({ name, points }) => {
            const [at, value] = points.at(-1) ?? [];
            return at === undefined || value === undefined ? null : (
              <text key={name} class="rate" x={Math.min(x(at), LEFT + WIDTH) - 4} y={y(value) - 6} text-anchor="end">
                {name}
              </text>
            );
          })}
      </svg>
    </figure>
  );
}

/** The next round number: 1, 2 or 5 times a power of ten. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-3)));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}
