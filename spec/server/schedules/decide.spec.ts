import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decide, ON_TIME_MS, type Decision, type ScheduleCursor } from '#lib/server/schedules/decide.js';
import { timetableOf } from '#lib/server/schedules/timetable.js';

const MINUTE = 60_000;
const everyMinute = timetableOf({ every: '1m' });
const START: ScheduleCursor = { cursor: 0, coveredTo: 0, isPaused: false };
const idle = (now: number): { now: number; atWork: number; queued: number } => ({ now, atWork: 0, queued: 0 });

describe('decide', () => {
  it('starts a run for a tick that is due, which covers the time since the last run', () => {
    expect(decide({}, everyMinute, { ...START, cursor: MINUTE }, idle(2 * MINUTE))).toEqual({
      decisions: [{ kind: 'run', tick: 2 * MINUTE, covers: { from: 0, to: 2 * MINUTE }, isExclusive: true }],
      cursor: 2 * MINUTE,
      coveredTo: 2 * MINUTE,
    });
  });

  it('decides nothing before the next tick, and nothing again when the clock is set back', () => {
    for (const now of [MINUTE + 1, MINUTE, 10]) {
      expect(decide({}, everyMinute, { ...START, cursor: MINUTE }, idle(now)).decisions).toEqual([]);
    }
  });

  it.each([
    ['last', ['coalesced 9', 'run 10']],
    ['none', ['down 8', 'run 9', 'run 10']],
    ['all', ['run 1', 'run 2', 'run 3', 'run 4', 'run 5', 'run 6', 'run 7', 'run 8', 'run 9', 'run 10']],
  ] as const)('catches up by %s after ten missed minutes', (catchUp, expected) => {
    const { decisions } = decide({ catchUp, overlap: 'allow' }, everyMinute, START, idle(10 * MINUTE));
    expect(decisions.map(inWords)).toEqual(expected);
  });

  it('catches up with at most a hundred runs, and says how many ticks have none', () => {
    const { decisions } = decide({ catchUp: 'all' }, everyMinute, START, idle(250 * MINUTE));
    expect(decisions[0]).toEqual({ kind: 'no-run', reason: 'limit', from: MINUTE, to: 150 * MINUTE, count: 150 });
    // Those on time follow the rule about overlaps.
    expect(decisions.filter(({ kind }) => kind === 'run')).toHaveLength(98);
  });

  it.each([
    ['skip', 0, 0, 'run'],
    ['skip', 1, 0, 'no-run'],
    ['skip', 0, 1, 'no-run'],
    ['queue', 1, 0, 'run'],
    ['queue', 1, 1, 'no-run'],
    ['allow', 3, 5, 'run'],
  ] as const)('with overlap %s, %i at work and %i queued, makes of a tick a %s', (overlap, atWork, queued, kind) => {
    const pass = decide({ overlap }, everyMinute, START, { now: MINUTE, atWork, queued });
    expect(pass.decisions.map((decision) => decision.kind)).toEqual([kind]);
    expect(pass.cursor).toBe(MINUTE);
    expect(pass.coveredTo).toBe(kind === 'run' ? MINUTE : 0);
  });

  it('takes the ticks of a pause as missed, and starts nothing for them when the pause ends', () => {
    const paused = decide({ catchUp: 'all' }, everyMinute, { ...START, isPaused: true }, idle(5 * MINUTE));
    expect(paused.decisions.map(inWords)).toEqual(['paused 5']);
    const after = decide({ catchUp: 'all' }, everyMinute, { ...START, ...paused }, idle(5 * MINUTE + 1));
    expect(after.decisions).toEqual([]);
  });

  it('gives each tick exactly one decision, in any order of passes, and covers the time without a gap', () => {
    const pass = fc.record({
      wait: fc.oneof(fc.integer({ min: -MINUTE, max: 3 * MINUTE }), fc.integer({ min: 0, max: 400 * MINUTE })),
      atWork: fc.nat(2),
      queued: fc.nat(2),
      isPaused: fc.boolean(),
    });
    const rules = fc.record({
      overlap: fc.constantFrom('skip', 'queue', 'allow'),
      catchUp: fc.constantFrom('last', 'none', 'all'),
    });
    fc.assert(
      fc.property(rules, fc.array(pass, { maxLength: 25 }), (rule, passes) => {
        let state = START;
        let now = 0;
        const covers: { readonly from: number; readonly to: number }[] = [];
        for (const { wait, isPaused, ...runs } of passes) {
          now += wait;
          const answer = decide(rule, everyMinute, { ...state, isPaused }, { now, ...runs });
          const ticks = answer.decisions.flatMap(ticksOf).sort((a, b) => a - b);
          const expected = Math.max(0, Math.floor(now / MINUTE) - state.cursor / MINUTE);
          const all = Array.from({ length: expected }, (_, i) => state.cursor + (i + 1) * MINUTE);
          expect(ticks.join()).toBe(all.join());
          for (const decision of answer.decisions) {
            if (decision.kind === 'run') {
              expect(decision.tick).toBeLessThanOrEqual(now);
              covers.push(decision.covers);
              expect(isPaused).toBe(false);
              if (rule.catchUp === 'none') expect(decision.tick).toBeGreaterThanOrEqual(now - ON_TIME_MS);
            }
          }
          expect(answer.cursor).toBeGreaterThanOrEqual(state.cursor);
          state = { ...state, ...answer };
        }
        covers.forEach(({ from }, index) => {
          expect(from).toBe(covers[index - 1]?.to ?? 0);
        });
      }),
      { numRuns: 100 },
    );
  });
});

function ticksOf(decision: Decision): number[] {
  if (decision.kind === 'run') return [decision.tick];
  const ticks = Array.from(
    { length: (decision.to - decision.from) / MINUTE + 1 },
    (_, i) => decision.from + i * MINUTE,
  );
  expect(decision.count).toBe(ticks.length);
  return ticks;
}

function inWords(decision: Decision): string {
  return decision.kind === 'run' ? `run ${decision.tick / MINUTE}` : `${decision.reason} ${String(decision.count)}`;
}
