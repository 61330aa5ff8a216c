/** What every store of dead letters owes: none is lost, and a resumed run finds those that its checkpoint counts on. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DeadLetter, DeadLetterStore } from 'millrace';

export interface LettersUnderTest {
  /** A store over what earlier ones have left. */
  open(): DeadLetterStore;
  /** What somebody who looks later finds. */
  read(): Promise<readonly DeadLetter[]>;
  release(): Promise<void>;
}

export function deadLetterStoreContract(
  name: string,
  { isDurable, make }: { isDurable: boolean; make: () => Promise<LettersUnderTest> },
): void {
  describe(`${name} keeps the contract of dead-letter stores`, () => {
    let kept: LettersUnderTest;
    beforeEach(async () => {
      kept = await make();
    });
    afterEach(() => kept.release());

    const numbers = async (): Promise<number[]> => (await kept.read()).map(({ lineage }) => lineage.number);

    it('holds every letter, in the order in which they were given up, once it is closed', async () => {
      const store = kept.open();
      for (let n = 0; n < 3000; n++) store.write(letterOf(n));
      await store.close();
      expect(await numbers()).toEqual([...Array(3000).keys()]);
      expect((await kept.read())[2]).toEqual(letterOf(2));
    });

    it('has nothing where nothing was given up', async () => {
      await kept.open().close();
      expect(await kept.read()).toEqual([]);
    });

    it('can take more, and says so, after it was full', async () => {
      const store = kept.open();
      const ready = new Promise<void>((resolve) => {
        store.whenReady(resolve);
      });
      let written = 0;
      while (!store.isFull && written < 10_000) store.write(letterOf(written++));
      if (store.isFull) await ready;
      expect(store.isFull).toBe(false);
      await store.close();
      expect(await kept.read()).toHaveLength(written);
    });

    if (!isDurable) return;

    /** Letters 0 and 1, marked; then 2 and 3, which the checkpoint does not know. */
    async function torn(): Promise<unknown> {
      const store = kept.open();
      for (const n of [0, 1]) store.write(letterOf(n));
      const position: unknown = JSON.parse(JSON.stringify(await durable(store).persist()));
      for (const n of [2, 3]) store.write(letterOf(n));
      await store.close();
      return position;
    }

    it('goes back to a position, and on from there', async () => {
      const position = await torn();
      const next = kept.open();
      await durable(next).rewind(position as never, () => true, 'run');
      await durable(next).commit();
      next.write(letterOf(4));
      await next.close();
      expect(await numbers()).toEqual([0, 1, 4]);
    });

    it('leaves out the letters of records that are done again', async () => {
      const position = await torn();
      const next = kept.open();
      await durable(next).rewind(position as never, ({ lineage }) => lineage.number !== 0, 'run');
      await durable(next).commit();
      next.write(letterOf(0));
      await next.close();
      expect(await numbers()).toEqual([1, 0]);
    });

    it('can go back to the old position as long as the new one is not committed, and to the new one after that', async () => {
      const position = await torn();
      const without = (left: number) => (head: { lineage: { number: number } }) => head.lineage.number !== left;
      // An incarnation that dies before the new position is in a checkpoint.
      const early = kept.open();
      await durable(early).rewind(position as never, without(0), 'run');
      await early.close();
      // One that dies between the checkpoint and the commit.
      const late = kept.open();
      const renewed = await durable(late).rewind(position as never, without(1), 'run');
      await late.close();
      const last = kept.open();
      await durable(last).rewind(renewed, () => true, 'run');
      await durable(last).commit();
      await last.close();
      expect(await numbers()).toEqual([0]);
    });

    it('has no letters after it went back to a time before the first', async () => {
      await torn();
      const next = kept.open();
      await durable(next).rewind(null, () => true, 'run');
      await durable(next).commit();
      await next.close();
      expect(await kept.read()).toEqual([]);
    });

    it("leaves another run's letters alone where this one had none", async () => {
      await torn();
      const next = kept.open();
      await durable(next).rewind(null, () => true, 'another run');
      await durable(next).commit();
      await next.close();
      expect(await numbers()).toEqual([0, 1, 2, 3]);
    });

    it('persists, while letters are on their way, those that were given up before', async () => {
      const store = kept.open();
      store.write(letterOf(0));
      const persisting = durable(store).persist();
      store.write(letterOf(1));
      const position = await persisting;
      await store.close();
      const next = kept.open();
      await durable(next).rewind(position, () => true, 'run');
      await durable(next).commit();
      await next.close();
      expect(await numbers()).toEqual([0]);
    });
  });
}

function durable(store: DeadLetterStore): NonNullable<DeadLetterStore['durable']> {
  if (store.durable === undefined) throw new Error('The store says that it keeps nothing');
  return store.durable;
}

export function letterOf(number: number): DeadLetter {
  return {
    runId: 'run',
    task: 'T',
    lineage: { root: 'S', partition: 0, number },
    record: { n: number, text: 'ä\n"' },
    attempts: 2,
    code: 'MILLRACE_TASK',
    message: 'no',
    firstAt: 1,
    lastAt: 2,
  };
}
