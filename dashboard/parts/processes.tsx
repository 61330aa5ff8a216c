/** The processes that have worked on a run, one after another. */
import type { JSX } from 'preact';
import type { Processes as Answer } from '../api.js';
import { duration, moment } from '../format.js';
import { useData, useNow } from './data.js';
import { Loading } from './state.js';

export function Processes({ id }: { readonly id: string }): JSX.Element {
  const { data, error } = useData<Answer>(`/runs/${encodeURIComponent(id)}/processes`);
  const now = useNow();
  if (data === undefined) return <Loading error={error} />;
  return (
    <>
      <p class="quiet">
        A run has more than one process if it was resumed, or if its dead letters were replayed. Each continues from the
        last checkpoint of the one before.
      </p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Processes of the run">
        <table>
          <thead>
            <tr>
              {['process', 'machine', 'id', 'began', 'duration', 'end', ''].map((title, index) => (
                <th class={index === 2 || index === 4 ? 'number' : ''} scope="col" key={title}>
                  {title || <span class="hidden">its output</span>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {data.processes.map(({ number, host, pid, startedAt, endedAt, outcome, isAtWork }) => (
              <tr key={number}>
                <th scope="row">{number}</th>
                <td>{host}</td>
                <td class="number">{pid}</td>
                <td>{moment(startedAt)}</td>
                <td class="number">
                  {endedAt === null ? (isAtWork ? duration(now - startedAt) : '') : duration(endedAt - startedAt)}
                </td>
                <td>{endOf(isAtWork, endedAt, outcome)}</td>
                <td>
                  <a href={`#/runs/${encodeURIComponent(id)}?tab=logs&process=${number}`}>logs of {number}</a>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function endOf(isAtWork: boolean, endedAt: number | null, outcome: string | null): string {
  if (isAtWork) return '▶ at work';
  if (endedAt === null) return '⚠ died';
  return outcome ?? 'ended before it did any work';
}
