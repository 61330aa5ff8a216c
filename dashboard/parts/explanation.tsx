/** The explanation of a workflow or of a run: the critical path, the bounds of memory, and what a crash repeats. */
import type { JSX } from 'preact';
import type { Explanation as Explained } from '../api.js';
import { duration, grouped } from '../format.js';
import { useData } from './data.js';
import { Loading } from './state.js';

/** The most rows of a table: a page with thousands is slow. */
const MOST_ROWS = 200;
const MIB = 2 ** 20;

/** @param path the path of the explanation in the API. */
export function Explanation({ path }: { readonly path: string }): JSX.Element {
  const { data, error } = useData<Explained>(path);
  if (data === undefined) return <Loading error={error} />;
  const { run, criticalPath, memory, memoryPeakBytes, obstacle, afterCrash, unrepeatable } = data;
  return (
    <>
      <p class="quiet">{run === null ? 'No run was measured yet' : `Measures of run ${run}`}</p>
      <Rows
        caption={
          criticalPath.recordMs === null
            ? 'Critical path: the chain with the most tasks'
            : `Critical path: ${ms(criticalPath.recordMs)} per record, the sum of the medians of waiting and work`
        }
        titles={['task', 'a record', 'busy']}
        rows={criticalPath.tasks.map(({ task, recordMs, busyMs }) => [task, ms(recordMs), ms(busyMs)])}
      />
      {criticalPath.busiest !== null && (
        <p>
          Busiest of all tasks: {criticalPath.busiest.task}, {ms(criticalPath.busiest.busyMs)}
        </p>
      )}
      <Rows
        caption="Bounds of memory"
        titles={['root or task', 'what', 'at most', 'seen']}
        rows={memory.map(({ of, what, most, seen }) => [of, what, grouped(most), seen === null ? '–' : grouped(seen)])}
      />
      {memoryPeakBytes !== null && <p>Peak of the process: {grouped(Math.round(memoryPeakBytes / MIB))} MiB</p>}
      {obstacle === null ? (
        <Rows
          caption="After a crash, in a resumed run"
          titles={['task', 'what happens']}
          rows={afterCrash.map(({ task, text }) => [task, text])}
        />
      ) : (
        <p>A run cannot be resumed: {obstacle}</p>
      )}
      {unrepeatable.length === 0 ? (
        <p>Each read and each result can be repeated.</p>
      ) : (
        <Rows
          caption="What cannot be repeated"
          titles={['task', 'why']}
          rows={unrepeatable.map(({ task, reason }) => [task, reason])}
        />
      )}
    </>
  );
}

interface RowsProps {
  readonly caption: string;
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

function Rows({ caption, titles, rows }: RowsProps): JSX.Element {
  const more = rows.length - MOST_ROWS;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <caption>{more > 0 ? `${caption} (${grouped(more)} more rows in the command explain)` : caption}</caption>
        <thead>
          <tr>
            {titles.map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MOST_ROWS).map((cells, index) => (
            <tr key={index}>
              {cells.map((cell, column) => (
                <td class={/^[\d–]/.test(cell) ? 'number' : ''} key={column}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function ms(value: number | null): string {
  if (value === null) return '–';
  return value < 1000 ? `${Number(value.toPrecision(3))} ms` : duration(value);
}
