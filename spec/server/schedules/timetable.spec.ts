import { describe, expect, it } from '@jest/globals';
import { isLong } from '../../support/long.js';
import fc from 'fast-check';
import { MOST_TICKS, timetableOf } from '#lib/server/schedules/timetable.js';

const at = (iso: string): number => Date.parse(iso);

function ticksOf(cron: string, zone: string, from: string, until: string): readonly string[] {
  const { ticks } = timetableOf({ cron, zone }).due(at(from), at(until));
  return ticks.map((tick) => new Date(tick).toISOString().replace(':00.000Z', 'Z'));
}

/** The cron of Vixie, minute by minute, for patterns of numbers, lists and `*`: slow, and simple enough to be right. */
function oracle(cron: string, zone: string, from: number, until: number): readonly number[] {
  const fields = cron.split(' ').map((field) => (field === '*' ? undefined : field.split(',').map(Number)));
  const isWild = fields[0] === undefined || fields[1] === undefined;
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hourCycle: 'h23',
    ...({ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' } as const),
  });
  const localOf = (ms: number): number => {
    const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute);
  };
  const matches = (local: number): boolean => {
    const date = new Date(local);
    const [minute, hour] = [date.getUTCMinutes(), date.getUTCHours()];
    return [minute, hour].every((value, index) => fields[index] === undefined || fields[index].includes(value));
  };
  const found: number[] = [];
  let highest = localOf(from);
  for (let now = from + 60_000; now <= until; now += 60_000) {
    const local = localOf(now);
    if (isWild) {
      if (matches(local)) found.push(now);
      highest = Math.max(highest, local);
      continue;
    }
    // All local minutes since the last one, those in a gap too; none of a pass that was there already.
    let isDue = false;
    for (let minute = highest + 60_000; minute <= local; minute += 60_000) isDue ||= matches(minute);
    if (isDue) found.push(now);
    highest = Math.max(highest, local);
  }
  return found;
}

describe('a timetable', () => {
  it('has a fixed time inside of the gap of daylight saving time at the end of the gap, once', () => {
    expect(ticksOf('30 2 * * *', 'America/New_York', '2025-03-09T00:00Z', '2025-03-10T12:00Z')).toEqual([
      '2025-03-09T07:00Z',
      '2025-03-10T06:30Z',
    ]);
    expect(ticksOf('0 0 * * *', 'Africa/Cairo', '2025-04-24T12:00Z', '2025-04-25T12:00Z')).toEqual([
      '2025-04-24T22:00Z',
    ]);
  });

  it('has a fixed time that comes twice in its first pass only, and wildcards in both', () => {
    expect(ticksOf('30 1 * * *', 'America/New_York', '2025-11-02T00:00Z', '2025-11-03T00:00Z')).toEqual([
      '2025-11-02T05:30Z',
    ]);
    expect(ticksOf('0 * * * *', 'America/New_York', '2025-11-02T04:30Z', '2025-11-02T07:30Z')).toEqual([
      '2025-11-02T05:00Z',
      '2025-11-02T06:00Z',
      '2025-11-02T07:00Z',
    ]);
  });

  it('agrees with a cron that walks minute by minute, around each transition', () => {
    const days: readonly (readonly [string, string])[] = [
      ['America/New_York', '2025-03-09'],
      ['America/New_York', '2025-11-02'],
      ['Europe/Berlin', '2026-03-29'],
      ['Europe/Berlin', '2026-10-25'],
      ['Australia/Lord_Howe', '2025-10-05'],
      ['Australia/Lord_Howe', '2026-04-05'],
      ['Africa/Cairo', '2025-04-25'],
      ['Antarctica/Troll', '2025-03-30'],
      ['Asia/Kolkata', '2025-06-01'],
      ['America/Sao_Paulo', '2018-11-04'],
    ];
    const some = (most: number): fc.Arbitrary<string> =>
      fc.oneof(
        fc.constant('*'),
        fc.uniqueArray(fc.integer({ min: 0, max: most }), { minLength: 1, maxLength: 3 }).map((list) => list.join(',')),
      );
    fc.assert(
      fc.property(fc.constantFrom(...days), some(59), some(5), ([zone, day], minute, hour) => {
        const cron = `${minute} ${hour} * * *`;
        const [from, until] = [at(`${day}T00:00Z`) - 14 * 3_600_000, at(`${day}T00:00Z`) + 14 * 3_600_000];
        const table = timetableOf({ cron, zone });
        const expected = oracle(cron, zone, from, until);
        const iterated: number[] = [];
        for (let tick = table.next(from); tick !== null && tick <= until; tick = table.next(tick)) iterated.push(tick);
        expect(iterated).toEqual(expected);
        const { ticks, earlier } = table.due(from, until);
        const counted = earlier === undefined ? 0 : (earlier.count ?? expected.length - MOST_TICKS);
        expect([ticks, ticks.length + counted]).toEqual([expected.slice(-MOST_TICKS), expected.length]);
      }),
      { numRuns: isLong ? 100 : 8 },
    );
  });

  it('lists the last ticks of a long stretch, and counts the others as long as that is cheap', () => {
    const minutes = timetableOf({ cron: '* * * * *', zone: 'UTC' });
    const day = minutes.due(at('2026-01-01T00:00Z'), at('2026-01-01T08:20Z'));
    expect(day.ticks).toHaveLength(MOST_TICKS);
    expect(day.earlier).toEqual({ from: at('2026-01-01T00:01Z'), to: at('2026-01-01T06:40Z'), count: 400 });
    const year = minutes.due(at('2025-01-01T00:00Z'), at('2026-01-01T00:00Z'));
    expect(year.ticks.at(-1)).toBe(at('2026-01-01T00:00Z'));
    expect(year.earlier).toEqual({ from: at('2025-01-01T00:01Z'), to: at('2025-12-31T22:20Z'), count: null });
  });

  it('has intervals of real time, and a single tick for `at`', () => {
    const table = timetableOf({ every: '15m', anchor: '2026-01-01T00:05:00Z' });
    expect(table.next(at('2026-01-01T00:05Z'))).toBe(at('2026-01-01T00:20Z'));
    expect(table.due(at('2025-12-31T23:00Z'), at('2026-01-01T00:05Z')).ticks).toHaveLength(5);
    const once = timetableOf({ at: '2026-12-01T08:00:00+01:00' });
    expect(once.next(at('2026-12-01T06:59Z'))).toBe(at('2026-12-01T07:00Z'));
    expect(once.next(at('2026-12-01T07:00Z'))).toBeNull();
  });

  it.each([
    [{ cron: '0 0 30 2 *', zone: 'UTC' }, 'never matches'],
    [{ cron: '0 0 * *', zone: 'UTC' }, 'five fields'],
    [{ cron: '* * * * * *', zone: 'UTC' }, 'five fields'],
    [{ cron: '2026-01-01T00:00:00', zone: 'UTC' }, 'five fields'],
    [{ cron: `${'1,'.repeat(200)}1 * * * *`, zone: 'UTC' }, 'five fields'],
    [{ cron: '99 * * * *', zone: 'UTC' }, 'is not a cron pattern'],
    [{ cron: '0 0 * * *', zone: 'Mars/Olympus' }, 'time zone'],
    [{ every: '0s' }, 'from one second'],
    [{ every: '5 minutes' }, 'from one second'],
    [{ at: '2026-12-01T08:00:00' }, 'with Z or an offset'],
  ])('refuses %j', (schedule, why) => {
    expect(() => timetableOf(schedule)).toThrow(why);
  });

  it('warns where a pattern joins two conditions by "or", and where it matches rarely', () => {
    expect(timetableOf({ cron: '0 0 13 * 5', zone: 'UTC' }).warnings).toHaveLength(1);
    expect(timetableOf({ cron: '0 0 29 2 *', zone: 'UTC' }).warnings).toHaveLength(1);
    expect(timetableOf({ cron: '0 0 * * *', zone: 'UTC' }).warnings).toEqual([]);
  });
});
