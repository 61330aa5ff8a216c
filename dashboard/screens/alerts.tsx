/** Alerts of the last month, and whether they were sent. */
import type { JSX } from 'preact';
import type { Alert } from '../api.js';
import { moment, relative } from '../format.js';
import { useData, useNow } from '../parts/data.js';
import { Loading, Notice } from '../parts/state.js';

export function Alerts(): JSX.Element {
  const { data, error } = useData<{ alerts: readonly Alert[] }>('/alerts?limit=200');
  const now = useNow();
  if (data === undefined) return <Loading error={error} />;
  return (
    <>
      <h1>Alerts</h1>
      <Notice error={error} />
      {data.alerts.length === 0 && <p class="quiet">There was no alert in the last month</p>}
      {data.alerts.length > 0 && (
        <div class="scroll" role="region" aria-label="Alerts" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">About</th>
                <th scope="col">Alert</th>
                <th scope="col">Sent</th>
              </tr>
            </thead>
            <tbody>
              {data.alerts.map(({ id, kind, at, text, runId, sentAt, nextAt, attempts, problem }) => (
                <tr key={id}>
                  <td title={moment(at)}>{relative(at, now)}</td>
                  <td>{kind}</td>
                  <td class="wide">
                    {text} {runId !== null && <a href={`#/runs/${runId}`}>Run {runId}</a>}
                  </td>
                  <td class="problem">
                    {sentAt !== null && `✓ ${moment(sentAt)}`}
                    {sentAt === null && nextAt === null && attempts === 0 && 'kept here only'}
                    {sentAt === null && nextAt === null && attempts > 0 && `✕ given up: ${problem}`}
                    {sentAt === null &&
                      nextAt !== null &&
                      `◷ to be sent${problem === '' ? '' : `; not yet, because ${problem}`}`}
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
