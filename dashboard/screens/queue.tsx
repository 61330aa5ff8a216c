/** The queue: which runs wait, for what, and which runs take the places of the pools. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post, type Queue as Answer } from '../api.js';
import { relative } from '../format.js';
import { useData, useNow } from '../parts/data.js';
import { Loading, Notice, State } from '../parts/state.js';

type Row = Answer['runs'][number];

export function Queue(): JSX.Element {
  const { data, error, reload } = useData<Answer>('/queue');
  const [problem, setProblem] = useState('');
  if (data === undefined) return <Loading error={error} />;
  const waiting = data.runs.filter(({ run }) => run.state === 'queued');
  const atWork = data.runs.filter(({ run }) => run.state !== 'queued');
  const cancel = (id: string): void => {
    setProblem('');
    post(`/runs/${encodeURIComponent(id)}/stop`, { how: 'cancel' }).then(reload, (failure: unknown) => {
      setProblem((failure as Error).message);
    });
  };
  return (
    <>
      <h1>Queue and pools</h1>
      <Notice error={error || problem} />
      <h2>
        At work: {atWork.length} of at most {data.maxRuns}
      </h2>
      {atWork.length === 0 ? <p class="quiet">No run is at work</p> : <Rows name="Runs at work" rows={atWork} />}
      <h2>Waiting: {waiting.length}</h2>
      {waiting.length === 0 ? (
        <p class="quiet">No run waits</p>
      ) : (
        <Rows name="Runs that wait" rows={waiting} onCancel={cancel} />
      )}
      <h2>Pools of this server</h2>
      {data.pools.length === 0 && (
        <p class="quiet">
          None. <code>serve --pool warehouse=2</code> makes one; a workflow names it in <code>serving.pools</code>
        </p>
      )}
      {data.pools.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Pools">
          <table>
            <thead>
              <tr>
                <th scope="col">pool</th>
                <th class="number" scope="col">
                  places
                </th>
                <th scope="col">taken by</th>
              </tr>
            </thead>
            <tbody>
              {data.pools.map(({ name, size, runs }) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td class="number">
                    {runs.length} of {size}{' '}
                    <progress
                      value={Math.min(runs.length, size)}
                      max={Math.max(1, size)}
                      aria-label={`Places of ${name}`}
                    />
                  </td>
                  <td class="wide">
                    {runs.map((id) => (
                      <span key={id}>
                        <a href={`#/runs/${id}`}>{id}</a>{' '}
                      </span>
                    ))}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

interface RowsProps {
  readonly name: string;
  readonly rows: readonly Row[];
  readonly onCancel?: (id: string) => void;
}

function Rows({ name, rows, onCancel }: RowsProps): JSX.Element {
  const now = useNow();
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={name}>
      <table>
        <thead>
          <tr>
            <th scope="col">run</th>
            <th scope="col">workflow</th>
            <th scope="col">state</th>
            <th scope="col">queued</th>
            <th class="number" scope="col">
              priority
            </th>
            <th scope="col">pools</th>
            {onCancel !== undefined && (
              <>
                <th scope="col">why it waits</th>
                <th scope="col">
                  <span class="hidden">cancel</span>
                </th>
              </>
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ run, pools, priority }) => (
            <tr key={run.id}>
              <th scope="row">
                <a href={`#/runs/${run.id}`}>{run.id}</a>
              </th>
              <td>{run.workflow}</td>
              <td>
                <State state={run.state} />
              </td>
              <td>{relative(run.queuedAt, now)}</td>
              <td class="number">{priority}</td>
              <td>{pools.join(', ')}</td>
              {onCancel !== undefined && (
                <>
                  <td class="wide">{run.waitsFor}</td>
                  <td>
                    <button
                      type="button"
                      aria-label={`Cancel run ${run.id}`}
                      onClick={() => {
                        onCancel(run.id);
                      }}
                    >
                      Cancel
                    </button>
                  </td>
                </>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
