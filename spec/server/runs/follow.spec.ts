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
