import { describe, expect, it } from '@jest/globals';
import { asyncTask, sourceTask, syncTask } from 'millrace';
import { recordingDeadLetters } from 'millrace/testing';
import { runToEnd, task } from '../support/run-to-end.js';

interface Row {
  name: string;
  readonly tags: string[];
  readonly at: Date;
  readonly bytes: Uint8Array;
}

const rows = (): Row[] => [{ name: 'a', tags: ['x'], at: new Date(0), bytes: new Uint8Array(1) }];

describe('with frozen records', () => {
  it.each<[string, (row: Row) => void]>([
    ['a field', (row) => (row.name = 'b')],
    ['a nested array', (row) => row.tags.push('y')],
  ])('a task that changes %s fails with its record, and the branch beside it sees no change', async (_, change) => {
    const deadLetters = recordingDeadLetters();
    const tasks = [
      task('S', [], sourceTask(rows())),
      task(
        'Copy',
        ['S'],
        syncTask((row: Row) => ({ ...row, tags: [...row.tags] })),
      ),
      task(
        'Change',
        ['Copy'],
        syncTask((row: Row) => {
          change(row);
          return row;
        }),
      ),
      task(
        'Beside',
        ['Copy'],
        asyncTask((row: Row) => Promise.resolve(`${row.name}${row.tags.join('')}`)),
      ),
    ];
    const { outputs } = await runToEnd(tasks, { freezeRecords: true, deadLetters });
    expect(deadLetters.letters).toMatchObject([
      { task: 'Change', message: expect.stringMatching(/read only|not extensible/) },
    ]);
    expect(outputs['Beside']).toEqual(['ax']);
  });

  it('dates and bytes are left as they are', async () => {
    const tasks = [
      task('S', [], sourceTask(rows())),
      task(
        'Fill',
        ['S'],
        syncTask((row: Row) => {
          row.bytes[0] = 7;
          return row.bytes[0];
        }),
      ),
    ];
    expect((await runToEnd(tasks, { freezeRecords: true })).outputs['Fill']).toEqual([7]);
  });
});
