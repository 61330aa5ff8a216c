/** What every store of checkpoints owes to a run that may die at any moment. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Checkpoint, CheckpointStore } from 'millrace';

export interface CheckpointsUnderTest {
  /** Begins the next incarnation of the run. */
  begin(): CheckpointStore | Promise<CheckpointStore>;
  release(): Promise<void>;
}

export function checkpointStoreContract(name: string, make: () => Promise<CheckpointsUnderTest>): void {
  describe(`${name} keeps the contract of checkpoint stores`, () => {
    let kept: CheckpointsUnderTest;
    beforeEach(async () => {
      kept = await make();
    });
    afterEach(() => kept.release());

    it('has nothing before the first checkpoint', async () => {
      expect(await (await kept.begin()).read()).toBeUndefined();
    });

    it('numbers the incarnations from 1', async () => {
      expect((await kept.begin()).incarnation).toBe(1);
      expect((await kept.begin()).incarnation).toBe(2);
    });

    it('gives the last checkpoint back as it was written, to a later incarnation too', async () => {
      const first = await kept.begin();
      for (const settled of [1, 2, 3]) await first.write(checkpointAt(settled));
      expect(await first.read()).toEqual(checkpointAt(3));
      expect(await (await kept.begin()).read()).toEqual(checkpointAt(3));
    });

    it('keeps what is written whatever becomes of the object afterwards', async () => {
      const store = await kept.begin();
      const positions: Record<string, number[]> = { Sink: [1] };
      await store.write({ ...checkpointAt(1), positions });
      positions['Sink']?.push(2);
      expect((await store.read())?.positions).toEqual({ Sink: [1] });
    });

    it('refuses an earlier incarnation once the next has begun, and keeps what the next has written', async () => {
      const zombie = await kept.begin();
      await zombie.write(checkpointAt(1));
      const present = await kept.begin();
      await expect(zombie.write(checkpointAt(2))).rejects.toMatchObject({ code: 'MILLRACE_LOCKED' });
      expect(await present.read()).toEqual(checkpointAt(1));
      await present.write(checkpointAt(3));
      await expect(zombie.write(checkpointAt(4))).rejects.toMatchObject({ code: 'MILLRACE_LOCKED' });
      expect(await present.read()).toEqual(checkpointAt(3));
    });
  });
}

export function checkpointAt(watermark: number): Checkpoint {
  return {
    format: 1,
    runId: 'run',
    incarnation: 1,
    at: 2,
    startedAt: 1,
    seed: 7,
    definition: { workflow: 'W', tasks: { S: 'source' }, config: {} },
    inputs: { S: { path: '/in.csv', size: 3 } },
    roots: { S: { watermark, born: watermark + 2, passed: { T: [watermark + 1, watermark + 2] } } },
    positions: { T: { bytes: 10, tail: 'ü' } },
    deadLetters: null,
    isComplete: false,
  };
}
