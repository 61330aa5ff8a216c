import { describe, expect, it } from '@jest/globals';
import { followUp, type Sight } from '#lib/server/runs/follow.js';
import { aRun } from '../../contracts/server-store.contract.js';

describe('a run that has ended before a server looked', () => {
  const run = aRun('r', { state: 'running', origin: 'command line', incarnationBefore: 0 });
  const sight: Sight = {
    ...{ state: 'ended', outcome: 'completed', incarnation: 1 },
    ...{ settled: 0, deadLetters: 0, hasChild: false },
  };

  it('has ended at its own time', () => {
    expect(followUp(run, { ...sight, endedAt: 5_000 }, 9_000)?.change).toMatchObject({
      state: 'completed',
      endedAt: 5_000,
    });
  });

  it('has not ended in the future, whatever the clock of its process has said', () => {
    expect(followUp(run, { ...sight, endedAt: 99_000 }, 9_000)?.change).toMatchObject({ endedAt: 9_000 });
  });
});

const working: Sight = { state: 'working', incarnation: 1, settled: 3, deadLetters: 0, hasChild: true };
const run = aRun('r', { state: 'running', settled: 3, startedAt: 0, workingSince: 0, origin: 'schedule' });
const limits = { maxTime: '1m', maxMemory: '256MB' } as const;
const MEGABYTE = 2 ** 20;

describe('a run with limits', () => {
  it('is stopped once it is over one of them, with the reason, and has failed at its end', () => {
    expect(followUp(run, working, 60_000, limits)).toBeUndefined();
    expect(followUp(run, { ...working, memory: 256 * MEGABYTE }, 60_000, limits)).toBeUndefined();
    const late = followUp(run, working, 60_001, limits);
    expect(late).toMatchObject({
      start: false,
      change: { stopWish: 'cancel', stopReason: expect.stringContaining('more than 1m, the `maxTime`') },
    });
    const large = followUp(run, { ...working, memory: 257 * MEGABYTE }, 1, limits);
    expect(large?.change).toMatchObject({
      stopWish: 'cancel',
      stopReason: expect.stringContaining('more than 256MB of memory'),
    });
    expect(followUp(run, { ...working, printed: 257 * MEGABYTE }, 1)?.change).toMatchObject({
      stopWish: 'cancel',
      stopReason: expect.stringContaining('printed more than 256 MB'),
    });
    const stopped = { ...run, ...late?.change };
    expect(followUp(stopped, working, 90_000, limits)).toBeUndefined();
    const ended = { ...working, state: 'ended', hasChild: false } as const;
    const end = followUp(stopped, { ...ended, outcome: 'cancelled' }, 90_000, limits);
    expect(end?.change).toMatchObject({ state: 'failed', problem: stopped.stopReason, stopReason: '', stopWish: null });
    expect(followUp(stopped, { ...ended, state: 'dead' }, 90_000, limits)?.change.state).toBe('failed');
    // It was faster than the signal.
    expect(followUp(stopped, { ...ended, outcome: 'completed' }, 90_000, limits)?.change.state).toBe('completed');
  });

  it('that a user has stopped is cancelled, not failed', () => {
    const ended = { ...working, state: 'ended', outcome: 'cancelled', hasChild: false } as const;
    expect(followUp({ ...run, stopWish: 'cancel' }, ended, 90_000, limits)?.change.state).toBe('cancelled');
  });

  it('whose heap has reached the limit is not started again', () => {
    const exit = { code: 134, signal: null, words: 'FATAL ERROR: JavaScript heap out of memory' };
    const dead = { ...working, state: 'dead', hasChild: false, exit } as const;
    expect(followUp(run, dead, 1, limits)).toMatchObject({ start: false, change: { state: 'failed' } });
    expect(followUp(run, dead, 1)).toMatchObject({ start: true });
    // It died long ago, while no server was there.
    expect(followUp(run, { ...dead, exit: undefined }, 900_000, limits)).toMatchObject({ start: true });
  });

  it('has its time again when it is resumed, and not when it was resumed by itself', () => {
    const starting = { ...run, state: 'starting' } as const;
    expect(followUp(starting, working, 50_000, limits)?.change).toMatchObject({ state: 'running', workingSince: 0 });
    const again = { ...starting, workingSince: null };
    expect(followUp(again, working, 50_000, limits)?.change).toMatchObject({ startedAt: 0, workingSince: 50_000 });
  });
});

it('a run that began and ended between two looks has the time of its beginning', () => {
  const starting = { ...run, state: 'starting', startedAt: null } as const;
  const facts = { state: 'ended', hasChild: false, outcome: 'completed', startedAt: 40, endedAt: 60 } as const;
  expect(followUp(starting, { ...working, ...facts }, 90)?.change).toMatchObject({
    state: 'completed',
    startedAt: 40,
    endedAt: 60,
  });
});

describe('a run that dies again and again without progress', () => {
  const starting = aRun('r', { state: 'starting', origin: 'schedule', fruitlessResumes: 3 });
  const none: Sight = { state: 'none', incarnation: 0, settled: 0, deadLetters: 0, hasChild: false };

  it('has failed', () => {
    const dead = { ...none, state: 'dead', incarnation: 1 } as const;
    expect(followUp(starting, dead, 9)).toMatchObject({ start: false, change: { state: 'failed' } });
    const exit = { code: null, signal: 'SIGKILL', words: '' };
    expect(followUp(starting, { ...none, exit }, 9)).toMatchObject({ start: false, change: { state: 'failed' } });
  });

  it('is not one whose servers have died before they started it', () => {
    expect(followUp(starting, none, 9)).toMatchObject({ start: true, change: { fruitlessResumes: 3 } });
  });
});

describe('a replay of dead letters', () => {
  const replay = aRun('r', { state: 'starting', isReplay: true, incarnationBefore: 1, deadLetters: 5, startedAt: 0 });
  const before: Sight = {
    ...{ state: 'ended', outcome: 'completed', incarnation: 1, endedAt: 50 },
    ...{ settled: 9, deadLetters: 5, hasChild: false },
  };

  it('lowers the number of dead letters at its end', () => {
    const change = followUp(replay, { ...before, incarnation: 2, deadLetters: 2 }, 90)?.change;
    expect(change).toMatchObject({ state: 'completed', deadLetters: 2, isReplay: false, problem: '' });
  });

  it('that was refused, or found nothing to replay, leaves the run completed, with the reason', () => {
    const exit = { code: 2, signal: null, words: 'MILLRACE_RESUME: the input has changed' };
    expect(followUp(replay, { ...before, exit }, 90)).toMatchObject({
      start: false,
      change: { state: 'completed', isReplay: false, problem: exit.words, endedAt: 50 },
    });
  });

  it('starts if no process was started for it, and again if its process has died', () => {
    expect(followUp(replay, before, 90)).toMatchObject({ start: true });
    const dead = { ...before, state: 'dead', incarnation: 2 } as const;
    expect(followUp(replay, dead, 90)).toMatchObject({ start: true, change: { incarnationBefore: 2 } });
  });

  it('that a user has stopped before it began leaves the run completed', () => {
    expect(followUp({ ...replay, stopWish: 'cancel' }, before, 90)?.change).toMatchObject({ state: 'completed' });
  });
});
