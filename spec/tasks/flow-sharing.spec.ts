/** Flows that are made from one flow. */
import { expect, it } from '@jest/globals';
import { emptyFlow } from '#lib/tasks/flow.js';
import { sourceTask } from '#lib/tasks/source-task.js';
import { syncTask } from '#lib/tasks/sync-task.js';

it('keeps the tasks of two flows apart that were made from one', () => {
  const names = (flow: { readonly declarations: readonly { readonly name: string }[] }): string[] =>
    flow.declarations.map(({ name }) => name);
  const start = emptyFlow().task('S', sourceTask([1]));
  const left = start.task(
    'L',
    ['S'],
    syncTask((n) => n),
  );
  const right = start.task(
    'R',
    ['S'],
    syncTask((n) => n),
  );
  const further = left.task(
    'M',
    ['L'],
    syncTask((n) => n),
  );
  const many = right.each([1, 2], (flow, n) =>
    flow.task(
      `E${n}`,
      ['S'],
      syncTask((value) => value),
    ),
  );
  expect([start, left, right, further, many].map(names)).toEqual([
    ['S'],
    ['S', 'L'],
    ['S', 'R'],
    ['S', 'L', 'M'],
    ['S', 'R', 'E1', 'E2'],
  ]);
});
