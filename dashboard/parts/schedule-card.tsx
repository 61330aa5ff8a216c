/** A schedule with its rule, its next and past ticks, and the actions on it. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { remove, type Decision, type Schedule } from '../api.js';
import { grouped, moment, momentIn, relative } from '../format.js';
import { BackfillForm } from './backfill-form.js';
import { useData, useNow } from './data.js';
import { Pause } from './pause.js';
import { ScheduleForm } from './schedule-form.js';
import { Loading, Notice } from './state.js';
import { zone } from '../zone.js';

const REASONS: Readonly<Record<NonNullable<Decision['reason']>, string>> = {
  overlap: 'skipped: a run of the schedule was queued or at work',
  down: 'missed: the server was down',
  paused: 'missed: the schedule was paused',
  coalesced: 'covered by the run of a later tick',
  limit: 'missed: too many ticks to catch up with',
};

interface ScheduleCardProps {
  readonly schedule: Schedule;
  readonly reload: () => void;
}

export function ScheduleCard({ schedule, reload }: ScheduleCardProps): JSX.Element {
  const now = useNow();
  const [error, setError] = useState('');
  const [open, setOpen] = useState<'' | 'ticks' | 'backfill' | 'change'>('');
  const toggle = (part: typeof open): void => {
    setOpen(open === part ? '' : part);
  };
  const { id, workflow, name, pause, next } = schedule;
  const path = `/schedules/${encodeURIComponent(workflow)}/${encodeURIComponent(name)}`;
  const act = (work: () => Promise<unknown>): void => {
    setError('');
    work().then(reload, (failure: unknown) => {
      setError((failure as Error).message);
    });
  };
  return (
    <li class="card">
      <h2>{id}</h2>
      <p>
        <code>{schedule.rule}</code> {schedule.zone} · overlap {schedule.overlap} · catch-up {schedule.catchUp}
        {schedule.madeBy === null ? ' · stated by the workflow' : ` · made by ${schedule.madeBy}`}
        {schedule.isPresent ? '' : ' · no longer exists'}
      </p>
      <Notice error={schedule.problem || error} />
      {schedule.warnings.map((warning) => (
        <p key={warning}>⚠ {warning}</p>
      ))}
      <Pause id={id} path={path} pause={pause} effect="Ticks during the pause have no runs" act={act}>
        {next.length === 0 ? 'No future tick' : `Next tick ${relative(next[0] ?? 0, now)}, ${moment(next[0] ?? 0)}`}
      </Pause>
      <button
        type="button"
        aria-expanded={open === 'ticks'}
        onClick={() => {
          toggle('ticks');
        }}
      >
        Ticks
      </button>{' '}
      <button
        type="button"
        aria-expanded={open === 'backfill'}
        onClick={() => {
          toggle('backfill');
        }}
      >
        Backfill…
      </button>{' '}
      {schedule.madeBy !== null && (
        <>
          <button
            type="button"
            aria-expanded={open === 'change'}
            onClick={() => {
              toggle('change');
            }}
          >
            Change…
          </button>{' '}
          <button
            type="button"
            onClick={() => {
              if (confirm(`Remove the schedule ${id}? Its runs and its history stay.`)) act(() => remove(path));
            }}
          >
            Remove
          </button>
        </>
      )}
      {open === 'backfill' && <BackfillForm id={`backfill-${id}`} path={path} />}
      {open === 'change' && (
        <ScheduleForm
          workflows={[workflow]}
          schedule={schedule}
          onSaved={() => {
            setOpen('');
            reload();
          }}
        />
      )}
      {open === 'ticks' && (
        <>
          <h3>Next ticks, in {zone.value}</h3>
          <ol>
            {next.map((at) => (
              <li key={at}>
                {moment(at)}
                {schedule.zone === null || schedule.zone === zone.value
                  ? ''
                  : ` (${momentIn(at, schedule.zone)} in ${schedule.zone})`}
              </li>
            ))}
          </ol>
          <h3>Past ticks</h3>
          <History path={path} />
        </>
      )}
    </li>
  );
}

function History({ path }: { readonly path: string }): JSX.Element {
  const { data, error } = useData<{ decisions: readonly Decision[] }>(`${path}/decisions`);
  if (data === undefined) return <Loading error={error} />;
  if (data.decisions.length === 0) return <p class="quiet">No tick yet</p>;
  return (
    <ul>
      {data.decisions.map((decision) => (
        <li key={decision.number}>
          {moment(decision.from)}
          {decision.from === decision.to
            ? ''
            : ` to ${moment(decision.to)} (${decision.count === null ? 'many' : grouped(decision.count)} ticks)`}
          :{' '}
          {decision.runId === null ? (
            decision.reason && REASONS[decision.reason]
          ) : (
            <a href={`#/runs/${decision.runId}`}>run {decision.runId}</a>
          )}
        </li>
      ))}
    </ul>
  );
}
