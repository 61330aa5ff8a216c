/** What a resumed run may leave out, in graphs with more ways than could be walked one by one. */
import { describe, expect, it } from '@jest/globals';
import { asyncTask, sinkTask, sourceTask, Workflow, type TaskDeclaration } from '#lib/index.js';

const work = asyncTask((record: unknown) => record);

/** Diamonds one behind the other: 2 to the power of `count` ways from the first task to the last. */
function ladder(count: number): TaskDeclaration[] {
  const tasks: TaskDeclaration[] = [
    { name: 'Read', task: sourceTask([1]), dependencies: [] },
    { name: 'T0', task: work, dependencies: ['Read'] },
  ];
  for (let n = 1; n <= count; n++) {
    tasks.push({ name: `L${n}`, task: work, dependencies: [`T${n - 1}`] });
    tasks.push({ name: `R${n}`, task: work, dependencies: [`T${n - 1}`] });
    tasks.push({ name: `T${n}`, task: work, dependencies: [`L${n}`, `R${n}`] });
  }
  tasks.push({ name: 'End', task: sinkTask(() => undefined), dependencies: [`T${count}`] });
  return tasks;
}

describe('the plan of a resumed run', () => {
  it('says at once whether a letter can be done again, however many ways lead on', () => {
    const Ladder = new Workflow({ name: 'Ladder', tasks: () => ladder(200) });
    expect(Ladder.redoable()({ task: 'T0', lineage: { root: 'Read', partition: 0, number: 0 } })).toBe(true);
  });
});
