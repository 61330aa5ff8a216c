import { describe, expect, it } from '@jest/globals';
import { chooseFromQueue } from '#lib/server/runs/queue.js';
import { aRun } from '../../contracts/server-store.contract.js';

const queued = (id: string, queuedAt: number, schedule: string | null = null): ReturnType<typeof aRun> =>
  aRun(id, { queuedAt, schedule, isExclusive: schedule !== null });

describe('the queue', () => {
  it('starts the longest waiting runs, as many as there are places, and says why the others wait', () => {
    const runs = [queued('c', 3), queued('a', 1), aRun('x', { state: 'running' }), queued('b', 2)];
    const { start, waiting } = chooseFromQueue(runs, 3);
    expect(start).toEqual(['a', 'b']);
    expect([...waiting]).toEqual([['c', 'It waits for a place: 3 of 3 runs are at work']]);
  });

  it('keeps the runs of a schedule apart, and lets those behind them pass', () => {
    const runs = [aRun('x', { state: 'starting', schedule: 's' }), queued('a', 1, 's'), queued('b', 2)];
    const { start, waiting } = chooseFromQueue(runs, 9);
    expect(start).toEqual(['b']);
    expect(waiting.get('a')).toBe('It waits for the end of run x of the same schedule');
    expect(chooseFromQueue([queued('a', 1, 's'), queued('b', 2, 's')], 9).start).toEqual(['a']);
  });
});
