import { expect, it } from '@jest/globals';
import { MillraceError } from '#lib/model/errors.js';
import { calendarOf, type CalendarPorts } from '#lib/server/schedules/calendar.js';
import type { StoredDecision } from '#lib/server/schedules/stored-schedule.js';
import { timetableOf } from '#lib/server/schedules/timetable.js';
import { aRun, aSchedule } from '../../contracts/server-store.contract.js';

const DAY_MS = 86_400_000;
const EDGES = [0, DAY_MS, 2 * DAY_MS, 3 * DAY_MS];

function decision(number: number, facts: Partial<StoredDecision>): StoredDecision {
  const from = facts.from ?? 0;
  return {
    ...{
      number,
      schedule: 'Flow/a',
      kind: 'run',
      reason: null,
      from,
      to: from,
      count: 1,
      runId: null,
      decidedAt: from,
    },
    ...facts,
  };
}

/** A store with these decisions, and a run of each state that its id names. */
function portsOf(decisions: readonly StoredDecision[], now: number): CalendarPorts {
  return {
    now,
    timetable: ({ schedule }) => timetableOf(schedule),
    store: {
      decisions: async (_, { before = Infinity, limit }) =>
        decisions
          .filter(({ number }) => number < before)
          .sort((a, b) => b.number - a.number)
          .slice(0, limit),
      run: async (id) => (id === 'gone' ? undefined : aRun(id, { state: id.split(' ')[0] as 'failed' })),
    },
  };
}

it('counts the runs of each day by state, ticks without one by reason, and ticks to come', async () => {
  const ports = portsOf(
    [
      decision(1, { from: 5, runId: 'completed 1' }),
      decision(2, { from: 10, runId: 'completed 2' }),
      decision(3, { from: DAY_MS - 1, runId: 'failed 1' }),
      decision(4, { from: DAY_MS, runId: 'gone' }),
      decision(5, { from: DAY_MS + 1, to: DAY_MS + 9, kind: 'no-run', reason: 'down', count: 7 }),
      decision(6, { from: DAY_MS + 10, kind: 'no-run', reason: 'down' }),
    ],
    DAY_MS + 20,
  );
  const schedule = aSchedule('a', { schedule: { every: '6h' }, cursor: DAY_MS + 10 });
  expect(await calendarOf([schedule], EDGES, ports)).toEqual([
    {
      schedule: 'Flow/a',
      isPartial: false,
      cells: [
        { runs: { completed: 2, failed: 1 }, noRuns: {}, coming: 0 },
        { runs: { removed: 1 }, noRuns: { down: 8 }, coming: 3 },
        { runs: {}, noRuns: {}, coming: 4 },
      ],
    },
  ]);
});

it('does not guess how the ticks of a stretch over several days are spread over them', async () => {
  const stretch = { from: 5, to: DAY_MS + 5, kind: 'no-run', reason: 'paused', count: 30 } as const;
  const ports = portsOf(
    [decision(1, stretch), decision(2, { ...stretch, from: DAY_MS + 6, to: DAY_MS + 8 })],
    2 * DAY_MS,
  );
  const [row] = await calendarOf([aSchedule('a', { pause: { by: 'ada', at: 0, note: '' } })], EDGES, ports);
  expect(row?.cells.map(({ noRuns }) => noRuns)).toEqual([{ paused: null }, { paused: null }, {}]);
  expect(row?.cells.map(({ coming }) => coming)).toEqual([0, 0, 0]);
});

it('stops counting ticks to come, and reading decisions, and says so', async () => {
  const many = Array.from({ length: 2001 }, (_, number) => decision(number, { from: 3 * DAY_MS, runId: 'queued 1' }));
  const ports = portsOf(many, 0);
  const every = (name: string) => aSchedule(name, { schedule: { every: '10s' } });
  const rows = await calendarOf([every('a'), every('b')], [0, DAY_MS, 2 * DAY_MS], ports);
  expect(rows.map(({ isPartial }) => isPartial)).toEqual([true, true]);
  expect(rows.map(({ cells }) => cells.map(({ coming }) => coming))).toEqual([
    [8639, null],
    [null, null],
  ]);
});

it('has no ticks to come of a schedule that cannot be read', async () => {
  const ports = { ...portsOf([], 0), timetable: () => new MillraceError('MILLRACE_INVALID_OPTION', 'no such pattern') };
  const [row] = await calendarOf([aSchedule('a')], EDGES, ports);
  expect(row?.cells.map(({ coming }) => coming)).toEqual([0, 0, 0]);
});
