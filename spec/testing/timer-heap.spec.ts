import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '#lib/execution/random.js';
import { TimerHeap, type Timer } from '#lib/testing/timer-heap.js';

describe('timers that wait', () => {
  it('are looked at a few times each, however many there are', () => {
    const count = 20_000;
    const random = seededRandom(7);
    const heap = new TimerHeap();
    let looks = 0;
    const timers = Array.from({ length: count }, (_, order): Timer => {
      const at = Math.floor(random() * count);
      return {
        order,
        action: () => undefined,
        get at() {
          looks++;
          return at;
        },
      };
    });
    for (const timer of timers) heap.add(timer);
    for (const timer of timers.slice(0, count / 4)) heap.remove(timer);
    for (let next = heap.first; next !== undefined; next = heap.first) heap.remove(next);
    expect(heap.size).toBe(0);
    // Each is moved up and down by at most as many steps as the heap is deep, with a few looks a step.
    expect(looks).toBeLessThan(count * 3 * 6 * Math.log2(count));
  });
});
