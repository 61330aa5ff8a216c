/** Runs for ticks of the past: which ticks, and what each run covers. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Schedule } from 'millrace';
import { backfillTicks } from '#lib/server/schedules/backfill.js';
import { timetableOf } from '#lib/server/schedules/timetable.js';

const DAY = 86_400_000;
const NOW = Date.parse('2026-11-20T12:00:00Z');
const at = (text: string): number => Date.parse(text);

describe('a backfill', () => {
  it('has a run for each tick of the range, oldest first, which covers the time since the tick before', () => {
    const nightly = timetableOf({ cron: '30 2 * * *', zone: 'Europe/Berlin' });
    const ticks = backfillTicks(nightly, { from: at('2026-10-23T12:00Z'), to: at('2026-10-26T12:00Z'), now: NOW });
    // Summer time ends between the first two.
    expect(ticks.map(({ tick }) => new Date(tick).toISOString())).toEqual([
      '2026-10-24T00:30:00.000Z',
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ]);
    expect(ticks.map(({ covers }) => new Date(covers.from).toISOString())).toEqual([
      '2026-10-23T00:30:00.000Z',
      '2026-10-24T00:30:00.000Z',
      '2026-10-25T00:30:00.000Z',
    ]);
  });

  it('takes a tick at the end of the range, and none at its beginning', () => {
    const hourly = timetableOf({ every: '1h' });
    const ticks = backfillTicks(hourly, { from: at('2026-11-01T00:00Z'), to: at('2026-11-01T02:00Z'), now: NOW });
    expect(ticks.map(({ tick }) => new Date(tick).getUTCHours())).toEqual([1, 2]);
  });

  it.each<[string, Schedule, number, number, RegExp]>([
    ['that is not over', { every: '1h' }, NOW - DAY, NOW + 1, /which is not over: .* Choose an end in the past/],
    ['without a tick', { every: '1d' }, at('2026-11-01T01:00Z'), at('2026-11-01T02:00Z'), /has no tick/],
    ['that ends before it begins', { every: '1h' }, NOW - DAY, NOW - 2 * DAY, /has no tick/],
    ['with more ticks than a backfill has runs', { every: '1m' }, NOW - DAY, NOW, /more than 1000 ticks: divide it/],
  ])('refuses a range %s', (_, schedule, from, to, message) => {
    const backfill = (): unknown => backfillTicks(timetableOf(schedule), { from, to, now: NOW });
    expect(backfill).toThrow(expect.objectContaining({ code: 'MILLRACE_USAGE' }));
    expect(backfill).toThrow(message);
  });

  it('covers, in any range of any schedule, what the runs of its schedule would have covered', () => {
    const schedule = fc.oneof(
      fc.record({ every: fc.constantFrom('7m', '1h', '36h'), anchor: fc.constant('2026-01-01T00:07:00Z') }),
      fc.record({
        cron: fc.constantFrom('*/20 * * * *', '30 2 * * *', '0 0 1 * *', '15 3 * * 0'),
        zone: fc.constantFrom('Europe/Berlin', 'America/New_York', 'Asia/Kolkata'),
      }),
    );
    fc.assert(
      fc.property(
        schedule,
        fc.integer({ min: 4, max: 300 }),
        fc.integer({ min: 0, max: 3 * DAY }),
        (rule, days, length) => {
          const table = timetableOf(rule);
          const from = NOW - days * DAY;
          const first = table.next(from) as number;
          fc.pre(first <= from + length && length > 0);
          const ticks = backfillTicks(table, { from, to: from + length, now: NOW });
          expect(ticks[0]?.tick).toBe(first);
          for (const [index, { tick, covers }] of ticks.entries()) {
            expect([covers.to, table.next(covers.from)]).toEqual([tick, tick]);
            if (index > 0) expect(covers.from).toBe(ticks[index - 1]?.tick);
          }
          expect(table.next(ticks.at(-1)?.tick as number)).toBeGreaterThan(from + length);
        },
      ),
      { numRuns: 200 },
    );
  });
});
