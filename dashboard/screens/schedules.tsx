/** Schedules: their rules, next ticks and history, with pause. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { post, type Backfill, type Schedule, type Workflows } from '../api.js';
import { grouped, moment } from '../format.js';
import { useData } from '../parts/data.js';
import { ScheduleCard } from '../parts/schedule-card.js';
import { ScheduleForm } from '../parts/schedule-form.js';
import { Loading, Notice } from '../parts/state.js';

export function Schedules(): JSX.Element {
  const { data, error, reload } = useData<{ schedules: readonly Schedule[] }>('/schedules');
  const workflows = useData<Workflows>('/workflows').data?.workflows.map(({ name }) => name) ?? [];
  const [isMaking, setMaking] = useState(false);
  if (data === undefined) return <Loading error={error} />;
  return (
    <>
      <h1>Schedules</h1>
      <Notice error={error} />
      <button
        type="button"
        aria-expanded={isMaking}
        onClick={() => {
          setMaking(!isMaking);
        }}
      >
        New schedule…
      </button>
      {isMaking && (
        <section class="card" aria-label="New schedule">
          <ScheduleForm
            workflows={workflows}
            onSaved={() => {
              setMaking(false);
              reload();
            }}
          />
        </section>
      )}
      {data.schedules.length === 0 && <p class="quiet">There is no schedule</p>}
      <ul class="workflows">
        {data.schedules.map((schedule) => (
          <ScheduleCard key={schedule.id} schedule={schedule} reload={reload} />
        ))}
      </ul>
      <Backfills />
    </>
  );
}

function Backfills(): JSX.Element | null {
  const { data, error, reload } = useData<{ backfills: readonly Backfill[] }>('/backfills');
  const [problem, setProblem] = useState('');
  if (data === undefined) return <Loading error={error} />;
  if (data.backfills.length === 0) return null;
  const stop = ({ id, count, schedule }: Backfill): void => {
    if (!confirm(`Cancel the runs of the backfill of ${schedule} (${count}) that are not over?`)) return;
    post(`/backfills/${id}/stop`, { how: 'cancel' }).then(reload, (failure: unknown) => {
      setProblem((failure as Error).message);
    });
  };
  return (
    <>
      <h2>Backfills</h2>
      <Notice error={error || problem} />
      <ul>
        {data.backfills.map((backfill) => {
          const { id, schedule, from, to, askedBy, states } = backfill;
          const isOver = !['queued', 'starting', 'running'].some((state) => (states[state] ?? 0) > 0);
          const parts = Object.entries(states).map(([state, count]) => `${grouped(count)} ${state}`);
          return (
            <li key={id}>
              <a href={`#/runs?backfill=${id}`}>{schedule}</a> from {moment(from)} to {moment(to)}, by {askedBy}:{' '}
              {parts.join(', ')}{' '}
              {!isOver && (
                <button
                  type="button"
                  onClick={() => {
                    stop(backfill);
                  }}
                >
                  Cancel
                </button>
              )}
            </li>
          );
        })}
      </ul>
    </>
  );
}
