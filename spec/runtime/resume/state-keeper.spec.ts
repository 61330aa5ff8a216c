/** The durable state of a run, as checkpoints collect it. */
import { expect, it } from '@jest/globals';
import { MillraceError } from 'millrace';
import { StateKeeper } from '#lib/runtime/resume/state-keeper.js';

it('gives no position after changes that could not be stored, because a checkpoint without them would be torn', async () => {
  let isFull = true;
  const keeper = new StateKeeper({
    store: {
      append: async (changes) => {
        Array.from(changes);
        await Promise.resolve();
        if (isFull) throw new MillraceError('MILLRACE_FILE', 'no space left');
        return 1;
      },
      restore: () => Promise.resolve(new Map()),
    },
    cannotResume: () => undefined,
  });
  const changes = ['one'];
  keeper.space('Sum').setHolder({
    changes: () => changes.splice(0).map((key) => [key, [1]] as const),
  });
  await expect(keeper.collect()).rejects.toThrow('no space left');
  isFull = false;
  await expect(keeper.collect()).rejects.toThrow('no space left');
});
