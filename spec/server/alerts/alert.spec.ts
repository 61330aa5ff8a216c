import { describe, expect, it } from '@jest/globals';
import { alertOfTicks, alertsOfRun } from '#lib/server/alerts/alert.js';
import { aRun } from '../../contracts/server-store.contract.js';

const HOUR = 3_600_000;
const texts = (...args: Parameters<typeof alertsOfRun>): string[] => alertsOfRun(...args).map(({ text }) => text);

describe('an alert', () => {
  it('is given by a run that failed or was interrupted, with its problem', () => {
    const failed = aRun('r', { state: 'failed', endedAt: 7, problem: 'MILLRACE_FILE: no such file' });
    expect(alertsOfRun(failed, undefined, 9)).toEqual([
      {
        ...{ id: 'failed r 7', kind: 'failed', at: 9, workflow: 'Flow', schedule: null, runId: 'r' },
        text: 'Run r of Flow is failed: MILLRACE_FILE: no such file',
      },
    ]);
    expect(texts(aRun('r', { state: 'interrupted', endedAt: 7 }), {}, 9)).toEqual(['Run r of Flow is interrupted']);
  });

  it('is given anew when a run that was resumed fails again', () => {
    const ids = [7, 8].map((endedAt) => alertsOfRun(aRun('r', { state: 'failed', endedAt }), {}, 9)[0]?.id);
    expect(new Set(ids).size).toBe(2);
  });

  it('is given by a run that is not over in time, counted from its jitter, under one id', () => {
    const rules = { alertAfter: '2h' };
    const run = aRun('r', { state: 'running', queuedAt: HOUR, notBefore: 2 * HOUR });
    expect(texts(run, rules, 4 * HOUR)).toEqual([]);
    expect(texts(run, rules, 4 * HOUR + 1)).toEqual(['Run r of Flow is not over after 2h: it is running']);
    expect(alertsOfRun(run, rules, 9 * HOUR)[0]?.id).toBe(alertsOfRun(run, rules, 5 * HOUR)[0]?.id);
    expect(texts(aRun('r', { state: 'completed', queuedAt: 0, endedAt: 9 * HOUR }), rules, 9 * HOUR)).toEqual([]);
  });

  it('is given by more dead letters than allowed, however the run ended', () => {
    const run = aRun('r', { state: 'completed', endedAt: 7, deadLetters: 3 });
    expect(texts(run, { alertDeadLetters: 3 }, 9)).toEqual([]);
    expect(texts(run, {}, 9)).toEqual([]);
    expect(texts(run, { alertDeadLetters: 2 }, 9)).toEqual([
      'Run r of Flow has 3 dead letters, and an alert is asked for above 2',
    ]);
    expect(texts({ ...run, state: 'failed' }, { alertDeadLetters: 2 }, 9)).toHaveLength(2);
  });

  it('is given by ticks that the server missed, and by none that a rule left out', () => {
    const ticks = { kind: 'no-run', from: 0, to: 60_000, count: 2 } as const;
    const schedule = { id: 'Flow/a', workflow: 'Flow' };
    expect(alertOfTicks({ ...ticks, reason: 'down' }, schedule, 9)).toMatchObject({
      id: 'no run Flow/a 60000',
      text: '2 ticks of Flow/a had no run, because the server was down: 1970-01-01T00:00:00.000Z to 1970-01-01T00:01:00.000Z',
    });
    expect(alertOfTicks({ ...ticks, to: 0, count: 1, reason: 'limit' }, schedule, 9)?.text).toBe(
      'A tick of Flow/a had no run, because the server was down: 1970-01-01T00:00:00.000Z',
    );
    for (const reason of ['overlap', 'paused', 'coalesced'] as const) {
      expect(alertOfTicks({ ...ticks, reason }, schedule, 9)).toBeUndefined();
    }
  });
});
