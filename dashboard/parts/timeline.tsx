/** A run over time: a bar per task, solid where the task was busy, hatched where it could not pass its records on. */
import type { JSX } from 'preact';
import type { RunHistory } from '../api.js';
import { duration, grouped, moment, percent } from '../format.js';
import { placeOf, TimeAxis } from './axis.js';

const [LEFT, WIDTH, ROW, BAR] = [200, 900, 30, 22];
const NAME_LENGTH = 26;

interface Work {
  readonly name: string;
  readonly done: number;
  /** Shares of the time in which a process was at work. */
  readonly busy: number;
  readonly blocked: number;
  /** The first and the last moment of its work; undefined for none. */
  readonly first: number | undefined;
  readonly last: number | undefined;
}

export function Timeline({ history }: { readonly history: RunHistory }): JSX.Element {
  const { tasks, stretches } = history;
  if (stretches.length === 0) return <p class="quiet">Nothing was measured yet: runs are measured once per second</p>;
  const work = tasks.map((name, index) => workOf(history, name, index));
  const height = tasks.length * ROW + 26;
  const x = placeOf(history, LEFT, WIDTH);
  return (
    <>
      <p>
        <span class="key busy" aria-hidden="true" /> busy <span class="key stuck" aria-hidden="true" /> blocked: the
        next task does not accept its records. The height of a bar is the share of the time. Times without a process are
        empty.
        {history.omitted > 0 && ` ${grouped(history.omitted)} less busy tasks are left out.`}
      </p>
      <div class="graph" tabIndex={0} role="region" aria-label="Timeline of the tasks">
        <svg
          width={LEFT + WIDTH + 40}
          height={height}
          role="group"
          aria-label={`Work of ${tasks.length} tasks over time`}
        >
          <defs>
            <pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect class="hatch" width="2.5" height="5" />
            </pattern>
          </defs>
          <TimeAxis {...history} left={LEFT} width={WIDTH} height={height} />
          {work.map((task, index) => {
            const top = index * ROW + 4;
            const label = sentenceOf(task);
            const bars = stretches.map(({ from, to, busy, blocked }) => {
              const [solid, hatched] = [(busy[index] ?? 0) * BAR, (blocked[index] ?? 0) * BAR];
              const [left, width] = [x(from), Math.max(1, x(to) - x(from))];
              const rect = (y: number, tall: number): string => `M${left} ${y}h${width}v${-tall}h${-width}z`;
              return [
                solid > 0.2 ? rect(top + BAR, solid) : '',
                hatched > 0.2 ? rect(top + BAR - solid, hatched) : '',
              ] as const;
            });
            return (
              <g key={task.name} role="img" aria-label={label}>
                <title>{label}</title>
                <rect class="lane" x={LEFT} y={top} width={WIDTH} height={BAR} />
                <text class="name" x="8" y={top + 16}>
                  {task.name.length > NAME_LENGTH ? `${task.name.slice(0, NAME_LENGTH - 1)}…` : task.name}
                </text>
                <path class="busy" d={bars.map(([solid]) => solid).join('')} />
                <path class="stuck" d={bars.map(([, hatched]) => hatched).join('')} />
              </g>
            );
          })}
        </svg>
      </div>
      <div class="scroll" tabIndex={0} role="region" aria-label="Work of the tasks">
        <table>
          <thead>
            <tr>
              {['task', 'first work', 'last work', 'records', 'busy', 'blocked'].map((title, index) => (
                <th class={index > 2 ? 'number' : ''} scope="col" key={title}>
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {work.map(({ name, first, last, done, busy, blocked }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{first === undefined ? '' : moment(first)}</td>
                <td>{last === undefined ? '' : moment(last)}</td>
                <td class="number">{grouped(done)}</td>
                <td class="number">{percent(busy)}</td>
                <td class="number">{percent(blocked)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function workOf({ stretches }: RunHistory, name: string, index: number): Work {
  const active = stretches.filter(
    ({ done, busy, blocked }) => (done[index] ?? 0) + (busy[index] ?? 0) + (blocked[index] ?? 0) > 0,
  );
  const length = stretches.reduce((sum, { from, to }) => sum + to - from, 0);
  const share = (pick: 'busy' | 'blocked'): number =>
    stretches.reduce((sum, one) => sum + (one[pick][index] ?? 0) * (one.to - one.from), 0) / Math.max(1, length);
  return {
    ...{ name, first: active[0]?.from, last: active.at(-1)?.to, busy: share('busy'), blocked: share('blocked') },
    done: stretches.reduce((sum, { done }) => sum + (done[index] ?? 0), 0),
  };
}

function sentenceOf({ name, first, last, done, busy, blocked }: Work): string {
  if (first === undefined || last === undefined) return `${name}: no work yet`;
  return `${name}: ${grouped(done)} records in ${duration(last - first)}, ${percent(busy)} busy, ${percent(blocked)} blocked`;
}
