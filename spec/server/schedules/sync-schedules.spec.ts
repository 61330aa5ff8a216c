/** Schedules that workflows state, and those that users make, joined with what the store remembers. */
import { describe, expect, it } from '@jest/globals';
import { storedSchedule, syncSchedules } from '#lib/server/schedules/sync-schedules.js';
import { aSchedule } from '../../contracts/server-store.contract.js';

const flow = (schedules: object): { name: string; schedules: never } => ({
  name: 'Flow',
  schedules: schedules as never,
});

describe('a schedule that a user has made', () => {
  it('stays as long as its workflow is there, and comes back with it, without ticks of the time between', () => {
    const made = aSchedule('mine', { madeBy: 'ada', cursor: 10 });
    expect(syncSchedules([flow({})], [made], 50)).toEqual([]);
    const [gone] = syncSchedules([], [made], 60);
    expect(gone).toEqual({ ...made, isPresent: false });
    const [back] = syncSchedules([flow({})], [gone ?? made], 90);
    expect(back).toEqual({ ...made, generation: 2, cursor: 90 });
  });

  it('gives way to one of the same name that the workflow states', () => {
    const made = aSchedule('mine', { madeBy: 'ada', cursor: 10 });
    const [stated] = syncSchedules([flow({ mine: { every: '1m' } })], [made], 50);
    // The rule is the same, so no tick is lost.
    expect(stated).toEqual({ ...made, madeBy: null });
  });

  it('has a new generation where its rule has changed, and keeps its cursor where anything else has', () => {
    const made = aSchedule('mine', { madeBy: 'ada', cursor: 10 });
    const change = (schedule: object): object => storedSchedule({ ...made, schedule: schedule as never }, made, 50);
    expect(change({ every: '2m' })).toMatchObject({ generation: 2, cursor: 50 });
    expect(change({ every: '1m', overlap: 'allow' })).toMatchObject({ generation: 1, cursor: 10 });
    expect(change({ every: '1m' })).toBe(made);
  });

  it('is not gone while a file does not load', () => {
    expect(syncSchedules([], [aSchedule('mine', { madeBy: 'ada' })], 60, false)).toEqual([]);
  });
});
