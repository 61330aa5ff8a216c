/** The generations of a run: the marks of ends, the letters that a replay takes, and the totals of a lane that is open again. */
import { expect, it } from '@jest/globals';
import { defineWorkflow, sinkTask, sourceTask, type DeadLetter } from 'millrace';
import { kafka } from 'millrace/kafka';
import { stagesOf } from 'millrace/lanes';
import { EMPTY } from '#lib/lanes/lane-tally.js';
import { letterOf, letterRecord, replayedRecords } from '#lib/lanes/letter-topic.js';
import { RunTotals } from '#lib/lanes/run-totals.js';
import { endIn, endMarker, timeIn } from '#lib/lanes/wire.js';

const letter: DeadLetter = {
  ...{ runId: 'r', task: 'Work', lineage: { root: 'Spread', partition: 2, number: 17 }, record: { n: 1 } },
  ...{ attempts: 1, code: 'MILLRACE_TASK', message: 'broken', firstAt: 1, lastAt: 2 },
};
const stored = { offset: 5, timestamp: 0 };

it('an end marker carries the replay in which its lane has ended', () => {
  for (const generation of [0, 1, 12]) {
    const marker = endMarker({ lane: 3, generation });
    expect(endIn(marker)).toEqual({ lane: 3, generation });
    expect(timeIn({ ...stored, ...marker })).toEqual({ lane: 3, reached: Infinity });
  }
  // The markers of earlier versions.
  expect(endIn({ headers: [['millrace-end', Buffer.from('7')]] })).toEqual({ lane: 7, generation: 0 });
  expect(endIn({ headers: [] })).toBeUndefined();
});

it('a letter names its lane, and the task in that lane', () => {
  const record = letterRecord({ ...letter, task: 'Sum' }, { lane: 4, generation: 1, task: 'to Sum', root: 'In' });
  expect(letterOf({ ...stored, ...record })).toMatchObject({
    ...{ offset: 5, lane: 4, generation: 1, letter: { task: 'Sum' } },
    head: { task: 'to Sum', lineage: { ...letter.lineage, root: 'In' } },
  });
  expect(letterOf({ ...stored, ...record, headers: [] })).toMatchObject({ lane: undefined, head: { task: 'Sum' } });
  const [taken, ...others] = replayedRecords([5, 9]);
  expect(others).toEqual([]);
  expect(taken !== undefined && letterOf({ ...stored, ...taken })).toBeUndefined();
  expect(replayedRecords(new Array<number>(250_000).fill(0))).toHaveLength(3);
});

it('a lane that a replay has opened again has ended when it ends in this replay', () => {
  const workflow = defineWorkflow({
    name: 'One',
    build: (flow) =>
      flow.task('In', sourceTask([1])).task(
        'Out',
        ['In'],
        sinkTask(() => undefined),
      ),
  }).prepare();
  const { stages } = stagesOf({ workflow, cluster: kafka({ brokers: ['none:1'] }), runId: 'r' });
  const totals = new RunTotals(workflow, stages, new Map([[0, 2]]));
  expect(totals.accept(0, EMPTY, true)).toBe(true);
  expect(totals.accept(0, EMPTY, true, 1)).toBe(true);
  expect(totals.ended).toEqual([]);
  expect(totals.accept(0, EMPTY, false, 2)).toBe(true);
  expect(totals.accept(0, EMPTY, true, 1)).toBe(false);
  expect(totals.accept(0, EMPTY, true, 2)).toBe(true);
  expect(totals.ended).toEqual(['In', 'Out']);
});
