/**
 * Finds the rows that a database refuses among many that it accepts, by halving.
 *
 * Guarantees: each row that can be written is written; `k` refused rows of `n` cost about `2k · log2(n / k)` writes.
 */
import type { RefusedRow } from '../../connect/index.js';

/** Writes the rows from `from` up to the one before `to`. Returns the error if the database refuses them as a whole. */
export type WritePiece = (from: number, to: number) => Promise<{ readonly error: unknown } | undefined>;

/** Writes `count` rows after a write of all of them was refused. Returns the refused ones, ascending. */
export async function isolateRows(count: number, write: WritePiece): Promise<RefusedRow[]> {
  const refused: RefusedRow[] = [];
  const visit = async (from: number, to: number, isKnown: boolean): Promise<void> => {
    const failure = isKnown && to - from > 1 ? { error: undefined } : await write(from, to);
    if (failure === undefined) return;
    if (to - from === 1) {
      refused.push({ row: from, error: failure.error });
      return;
    }
    const middle = (from + to) >>> 1;
    await visit(from, middle, false);
    await visit(middle, to, false);
  };
  await visit(0, count, true);
  return refused;
}
