/** The ticks of the schedules by day, or of one schedule by hour: with a run, without a run, and future ticks. */
import type { JSX } from 'preact';
import type { CalendarCell, CalendarRow } from '../api.js';
import { grouped } from '../format.js';
import { useData, useNow } from '../parts/data.js';
import { Notice } from '../parts/state.js';
import { route } from '../router.js';
import { formatter, localOf, momentOf, zone } from '../zone.js';

const DAYS = 7;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const DAY_NAME = { weekday: 'short', day: 'numeric', month: 'short' } as const;
const HOUR_NAME = { hour: '2-digit', minute: '2-digit' } as const;

const REASONS: Readonly<Record<keyof CalendarCell['noRuns'], string>> = {
  overlap: 'another run was at work',
  down: 'the server was down',
  paused: 'paused',
  coalesced: 'a later tick had the run',
  limit: 'too many to catch up',
};

export function Calendar(): JSX.Element {
  const { query } = route.value;
  const now = useNow();
  const schedule = query.get('schedule');
  const [given] = /^2\d{3}-\d\d-\d\d$/.exec(query.get('from') ?? '') ?? [];
  const day = Date.parse(given ?? '');
  const first = Number.isNaN(day) ? startOfWeek(now) : day;
  const edges = schedule === null ? daysFrom(first, DAYS) : hoursOf(first);
  const only = schedule === null ? '' : `&schedule=${encodeURIComponent(schedule)}`;
  const { data, error } = useData<{ rows: readonly CalendarRow[] }>(`/calendar?edges=${edges.join(',')}${only}`);
  const step = schedule === null ? DAYS : 1;
  return (
    <>
      <h1>{schedule === null ? 'Calendar' : `Hours of ${schedule}`}</h1>
      <p>
        <a rel="prev" href={linkTo(movedBy(first, -step), schedule)}>
          ← before
        </a>{' '}
        · <a href={linkTo(undefined, schedule)}>now</a> ·{' '}
        <a rel="next" href={linkTo(movedBy(first, step), schedule)}>
          after →
        </a>
        {schedule !== null && (
          <>
            {' '}
            · <a href={linkTo(startOfWeek(momentOf(first)), null)}>All schedules, by day</a>
          </>
        )}
      </p>
      <p class="quiet">
        Times are in {zone.value}. ✓ completed, ✕ failed or interrupted, ▶ queued or at work, ■ stopped, ⊘ no run, ◷ to
        come.
      </p>
      <Notice error={error} />
      {data?.rows.length === 0 && <p class="quiet">There is no schedule</p>}
      {data !== undefined && schedule === null && <Days rows={data.rows} edges={edges} now={now} />}
      {data?.rows[0] !== undefined && schedule !== null && <Hours row={data.rows[0]} edges={edges} now={now} />}
    </>
  );
}

interface DaysProps {
  readonly rows: readonly CalendarRow[];
  readonly edges: readonly number[];
  readonly now: number;
}

function Days({ rows, edges, now }: DaysProps): JSX.Element {
  const days = edges.slice(0, -1);
  const isNow = (index: number): boolean => now >= (edges[index] ?? 0) && now < (edges[index + 1] ?? 0);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Ticks by day">
      <table class="calendar">
        <thead>
          <tr>
            <th scope="col">schedule</th>
            {days.map((at, index) => {
              const hours = Math.round(((edges[index + 1] ?? 0) - at) / HOUR_MS);
              return (
                <th scope="col" key={at} class={isNow(index) ? 'now' : ''}>
                  {formatter(DAY_NAME).format(at)}
                  {isNow(index) && <span class="quiet"> today</span>}
                  {hours !== 24 && <span class="quiet"> {hours} hours</span>}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ schedule, cells, isPartial }) => (
            <tr key={schedule}>
              <th scope="row">
                {schedule}
                {isPartial && <div class="quiet">older ticks are not counted</div>}
              </th>
              {cells.map((cell, index) => (
                <td key={days[index]} class={isNow(index) ? 'now' : ''}>
                  <a class="plain" href={linkTo(dayOf(days[index] ?? 0), schedule)}>
                    <Ticks cell={cell} />
                    <span class="hidden">
                      , {schedule}, {formatter(DAY_NAME).format(days[index])}
                    </span>
                  </a>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Hours({ row, edges, now }: { readonly row: CalendarRow } & Omit<DaysProps, 'rows'>): JSX.Element {
  const [workflow = ''] = row.schedule.split('/');
  return (
    <>
      <p>
        <strong>{formatter(DAY_NAME).format(edges[0])}</strong> ·{' '}
        <a href={`#/runs?workflow=${encodeURIComponent(workflow)}&schedule=${encodeURIComponent(row.schedule)}`}>
          Runs of this schedule
        </a>
      </p>
      {row.isPartial && <p class="quiet">Older ticks are not counted</p>}
      <table class="calendar">
        <thead>
          <tr>
            <th scope="col">hour</th>
            <th scope="col">ticks</th>
          </tr>
        </thead>
        <tbody>
          {row.cells.map((cell, index) => {
            const [at, end] = [edges[index] ?? 0, edges[index + 1] ?? 0];
            return (
              <tr key={at}>
                <th scope="row" class={now >= at && now < end ? 'now' : ''}>
                  {formatter(HOUR_NAME).format(at)}
                  {now >= at && now < end && <span class="quiet"> now</span>}
                </th>
                <td>
                  <Ticks cell={cell} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}

function Ticks({ cell: { runs, noRuns, coming } }: { readonly cell: CalendarCell }): JSX.Element {
  const sum = (...states: readonly (keyof CalendarCell['runs'])[]): number =>
    states.reduce((all, state) => all + (runs[state] ?? 0), 0);
  const marks: readonly (readonly [shape: string, kind: string, count: number, words: string])[] = [
    ['✓', 'completed', sum('completed', 'removed'), 'completed'],
    ['✕', 'failed', sum('failed', 'interrupted'), 'failed'],
    ['■', 'cancelled', sum('drained', 'cancelled'), 'stopped'],
    ['▶', 'running', sum('queued', 'starting', 'running'), 'queued or at work'],
  ];
  const shown = marks.filter(([, , count]) => count > 0);
  const reasons = Object.entries(noRuns) as readonly (readonly [keyof CalendarCell['noRuns'], number | null])[];
  if (shown.length + reasons.length === 0 && coming === 0) return <span class="quiet">–</span>;
  return (
    <>
      {shown.map(([shape, kind, count, words]) => (
        <div key={kind} class={`state ${kind}`}>
          <span aria-hidden="true">{shape}</span> {grouped(count)} <span class="word">{words}</span>
        </div>
      ))}
      {reasons.map(([reason, count]) => (
        <div key={reason}>
          <span aria-hidden="true">⊘</span> {count === null ? 'some' : grouped(count)}{' '}
          <span class="word">{REASONS[reason]}</span>
        </div>
      ))}
      {coming !== 0 && (
        <div class="quiet">
          <span aria-hidden="true">◷</span> {coming === null ? 'many' : grouped(coming)}{' '}
          <span class="word">to come</span>
        </div>
      )}
    </>
  );
}

/** Days of the chosen time zone: one of them may have 23 or 25 hours. Each day is its midnight as a local time. */
function daysFrom(first: number, count: number): readonly number[] {
  return Array.from({ length: count + 1 }, (_, index) => momentOf(movedBy(first, index)));
}

/** The hours of a day: there may be 23 or 25 of them, or one of half an hour. */
function hoursOf(day: number): readonly number[] {
  const end = momentOf(movedBy(day, 1));
  const edges: number[] = [];
  for (let at = momentOf(day); at < end; at += HOUR_MS) edges.push(at);
  return [...edges, end];
}

function movedBy(day: number, days: number): number {
  return day + days * DAY_MS;
}

function dayOf(at: number): number {
  return Math.floor(localOf(at) / DAY_MS) * DAY_MS;
}

/** The Monday at or before a moment. */
function startOfWeek(at: number): number {
  const day = dayOf(at);
  return movedBy(day, -((new Date(day).getUTCDay() + 6) % 7));
}

function linkTo(day: number | undefined, schedule: string | null): string {
  const query = new URLSearchParams();
  const shown = day ?? (schedule === null ? undefined : dayOf(Date.now()));
  if (shown !== undefined) query.set('from', new Date(shown).toISOString().slice(0, 10));
  if (schedule !== null) query.set('schedule', schedule);
  return `#/calendar?${query.toString()}`;
}
