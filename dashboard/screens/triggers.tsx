/** Triggers: the events at which runs start, and the past events. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { Delivery, Trigger } from '../api.js';
import { moment, relative } from '../format.js';
import { useData, useNow } from '../parts/data.js';
import { Pause } from '../parts/pause.js';
import { Loading, Notice } from '../parts/state.js';

const KINDS: Readonly<Record<Trigger['kind'], string>> = {
  webhook: 'Signed message over HTTP',
  file: 'Arrival of a file',
  workflow: 'End of another workflow',
};

export function Triggers(): JSX.Element {
  const { data, error, reload } = useData<{ triggers: readonly Trigger[] }>('/triggers');
  if (data === undefined) return <Loading error={error} />;
  return (
    <>
      <h1>Triggers</h1>
      <Notice error={error} />
      {data.triggers.length === 0 && (
        <p class="quiet">
          There is no trigger. A workflow states them in <code>triggers</code>
        </p>
      )}
      <ul class="workflows">
        {data.triggers.map((trigger) => (
          <TriggerCard key={trigger.id} trigger={trigger} reload={reload} />
        ))}
      </ul>
    </>
  );
}

/** The effect of a pause, by kind. */
const PAUSES: Readonly<Record<Trigger['kind'], string>> = {
  webhook: 'Messages are refused during the pause: their senders may send them again',
  file: 'Files that exist at the end of the pause start runs',
  workflow: 'Runs that end during the pause start no run',
};

function TriggerCard({ trigger, reload }: { readonly trigger: Trigger; readonly reload: () => void }): JSX.Element {
  const { id, workflow, name, kind, rule, problem, pause } = trigger;
  const [error, setError] = useState('');
  const path = `/triggers/${encodeURIComponent(workflow)}/${encodeURIComponent(name)}`;
  const [isOpen, setOpen] = useState(false);
  return (
    <li class="card">
      <h2>{id}</h2>
      <p>
        {KINDS[kind]}: <code>{kind === 'webhook' ? rule.replace(' ', ` ${location.origin}`) : rule}</code>
      </p>
      <Notice error={problem || error} />
      <Pause
        id={id}
        path={path}
        pause={pause}
        effect={PAUSES[kind]}
        act={(work) => {
          setError('');
          work().then(reload, (failure: unknown) => {
            setError((failure as Error).message);
          });
        }}
      />
      <button
        type="button"
        aria-expanded={isOpen}
        onClick={() => {
          setOpen(!isOpen);
        }}
      >
        Events
      </button>{' '}
      <a href={`#/runs?workflow=${encodeURIComponent(workflow)}`}>Runs of {workflow}</a>
      {isOpen && <Events path={`${path}/deliveries`} />}
    </li>
  );
}

function Events({ path }: { readonly path: string }): JSX.Element {
  const { data, error } = useData<{ deliveries: readonly Delivery[] }>(path);
  const now = useNow();
  if (data === undefined) return <Loading error={error} />;
  if (data.deliveries.length === 0) return <p class="quiet">No event yet</p>;
  return (
    <ul>
      {data.deliveries.map(({ subject, at, runId }) => (
        <li key={runId}>
          <span title={moment(at)}>{relative(at, now)}</span>: <code>{subject}</code> started{' '}
          <a href={`#/runs/${runId}`}>run {runId}</a>
        </li>
      ))}
    </ul>
  );
}
