import { describe, expect, it } from '@jest/globals';
import { chooseBottleneck, type TaskUse } from '#lib/measure/bottleneck.js';
import { isLong } from '../support/long.js';
import { realTrial, virtualTrial, type Trial } from '../support/bottleneck-trial.js';

const use = (task: string, slots: number, loop = 0, pool = 0): TaskUse => ({ task, slots, loop, pool });

const TRIALS = isLong ? 100 : 40;

describe('the bottleneck', () => {
  it('is the task whose places are taken most', () => {
    expect(chooseBottleneck([use('a', 0.3), use('b', 0.9), use('c', 0.5)])).toEqual({ task: 'b', load: 0.9 });
  });

  it('is who uses most of a station that all share, where the station is fuller than any task', () => {
    expect(chooseBottleneck([use('a', 0.5), use('b', 0, 0.2), use('c', 0, 0.4)])).toEqual({ task: 'c', load: 0.6 });
    expect(chooseBottleneck([use('a', 0.7), use('b', 0, 0, 0.5), use('c', 0, 0, 0.4)])).toEqual({
      task: 'b',
      load: 0.9,
    });
  });

  it('is on the event loop where that is full, because nobody has time to take the answers of the others', () => {
    expect(chooseBottleneck([use('asks', 1), use('computes', 0, 0.75)])).toEqual({ task: 'computes', load: 0.75 });
  });

  it('is nobody where nothing is under load', () => {
    expect(chooseBottleneck([use('a', 0.001), use('b', 0)])).toBeUndefined();
    expect(chooseBottleneck([])).toBeUndefined();
  });

  it('is the injected slow task in at least 95 of 100 random workflows, in virtual time', async () => {
    expect((await rightOf(TRIALS, virtualTrial)) / TRIALS).toBeGreaterThanOrEqual(0.95);
  }, 60_000);

  it('is the injected slow function among others that share the event loop with it', async () => {
    // In real time, where other programs take turns of the processor from any of the tasks. By chance it would be 2 of 10.
    expect(await rightOf(10, realTrial)).toBeGreaterThanOrEqual(7);
  }, 60_000);
});

async function rightOf(count: number, trial: (seed: number) => Promise<Trial>): Promise<number> {
  let right = 0;
  for (let seed = 0; seed < count; seed++) {
    const { slow, named } = await trial(seed);
    if (slow === named) right++;
  }
  return right;
}
