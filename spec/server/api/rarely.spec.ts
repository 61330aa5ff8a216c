import { expect, it } from '@jest/globals';
import { rarely } from '#lib/server/api/rarely.js';

/** A question that takes some time and may fail, and results in the number of times that it was asked. */
class Asked {
  now = 0;
  takesMs = 50;
  fails = false;
  private count = 0;
  readonly ask = rarely(
    () => {
      this.now += this.takesMs;
      this.count++;
      return this.fails ? Promise.reject(new Error('away')) : Promise.resolve(this.count);
    },
    () => this.now,
  );
}

it('a result is used again for a hundred times as long as it took, but not for more than ten seconds', async () => {
  const asked = new Asked();
  expect(await asked.ask()).toBe(1);
  asked.now += 4999;
  expect(await asked.ask()).toBe(1);
  asked.now += 1;
  asked.takesMs = 60_000;
  expect(await asked.ask()).toBe(2);
  asked.now += 9999;
  expect(await asked.ask()).toBe(2);
  asked.now += 1;
  expect(await asked.ask()).toBe(3);
});

it('a failure is not used again', async () => {
  const asked = new Asked();
  asked.fails = true;
  await expect(asked.ask()).rejects.toThrow('away');
  asked.fails = false;
  expect(await asked.ask()).toBe(2);
});
