/**
 * Puts together what threads have folded of the ranges of a source, each of which may have met any key. The records never
 * come here; their counts, the ones that were given up, and the states of the keys do.
 *
 * Promise: states are merged in the order of the parts, so the first appearance of a key decides its place, as if one
 * thread had read it all.
 */
import type { ItemReader } from '../execution/executor.js';
import type { Turn } from '../ledger/turn.js';
import type { FoldReports } from './fold-reports.js';
import type { FoldReport } from './source-parts.js';

/** Resolves when everything is merged; where `reports` is closed before, at once, with nothing more merged. */
export async function foldStates(
  reports: FoldReports,
  merge: (key: unknown, state: unknown) => void,
  turn: Turn,
): Promise<void> {
  let before = Promise.resolve();
  const all = reports.readers.map((reader) => {
    // A part's progress is taken as it comes; its states wait for those of the parts before it.
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
        if ('rows' in report) await reports.accept(report);
        else if ('states' in report) {
          if (!mayMerge) await earlier;
          mayMerge = true;
          // What threads hand over may be thousands of states at once.
          if (turn.isLong()) await turn.pause();
          if (!reports.isClosed) for (const [key, state] of report.states) merge(key, state);
        }
      }
    }
    await earlier;
  }
}
