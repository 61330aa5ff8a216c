/**
 * Merges the states that threads have folded from the ranges of a source, where each range may contain every key. The
 * threads send no records, only counts, the records that were given up, and the states of the keys.
 *
 * Guarantees: states are merged in the order of the parts. So keys are in the order of their first appearance, as if
 * one thread had read the whole source.
 */
import type { ItemReader } from '../execution/executor.js';
import type { Turn } from '../ledger/turn.js';
import type { FoldReports } from './fold-reports.js';
import type { FoldReport } from './source-parts.js';

/** Resolves when everything is merged. If `reports` is closed earlier, resolves at once and merges no more states. */
export async function foldStates(
  reports: FoldReports,
  merge: (key: unknown, state: unknown) => void,
  turn: Turn,
): Promise<void> {
  let before = Promise.resolve();
  const all = reports.readers.map((reader) => {
    // The progress of a part is counted as it arrives. Its states wait for those of the earlier parts.
    before = drain(reader, before);
    return before;
  });
  try {
    await Promise.all(all);
  } finally {
    reports.close();
  }

  async function drain(reader: ItemReader<unknown>, earlier: Promise<void>): Promise<void> {
    let mayMerge = false;
    for (let items = await reader.read(); items !== null; items = await reader.read()) {
      for (const report of items as readonly FoldReport[]) {
        if ('rows' in report) await reports.add(report);
        else if ('states' in report) {
          if (!mayMerge) await earlier;
          mayMerge = true;
          // A report may contain thousands of states.
          if (turn.isLong()) await turn.pause();
          if (!reports.isClosed) for (const [key, state] of report.states) merge(key, state);
        }
      }
    }
    await earlier;
  }
}
