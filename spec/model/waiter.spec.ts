/** Waits end at a wake, and only then. */
import { expect, it } from '@jest/globals';
import { Waiter } from '#lib/model/awaitable.js';

it('ends all waits that began before the wake', async () => {
  const waiter = new Waiter();
  const waits = [waiter.wait(), waiter.wait()];
  waiter.wake();
  await expect(Promise.all(waits)).resolves.toHaveLength(2);
});

it('does not end a wait that begins after the wake', async () => {
  const waiter = new Waiter();
  const ended: string[] = [];
  waiter.wake();
  const wait = waiter.wait().then(() => ended.push('wait'));
  await Promise.resolve();
  expect(ended).toEqual([]);
  waiter.wake();
  await wait;
  expect(ended).toEqual(['wait']);
});

it('resumes through `defer`, once per wait', async () => {
  const deferred: (() => void)[] = [];
  const waiter = new Waiter((resume) => deferred.push(resume));
  const wait = waiter.wait();
  waiter.wake();
  waiter.wake();
  expect(deferred).toHaveLength(1);
  deferred[0]?.();
  await expect(wait).resolves.toBeUndefined();
});
