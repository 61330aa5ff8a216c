/**
 * Takes in what threads have folded of the shares of a source, each of which has met all records of its keys. Nothing is
 * left to merge: what comes here are the results, one reader a share.
 *
 * Promise: the results of all shares are there only when all of the source has been read.
 */
import type { Collected, ItemReader } from '../execution/executor.js';
import type { FoldReports } from './fold-reports.js';
import type { FoldReport, FoldedResult } from './source-parts.js';

/** Resolves when everything is read and folded; closing `reports` ends what it gives as well. */
export async function foldResults(reports: FoldReports): Promise<ItemReader<Collected>[]> {
  try {
    return await Promise.all(reports.readers.map(readProgress));
  } catch (error) {
    reports.close();
    throw error;
  }

  async function readProgress(reader: ItemReader<unknown>): Promise<ItemReader<Collected>> {
    for (let items = await reader.read(); items !== null; items = await reader.read()) {
      for (const [index, report] of (items as readonly FoldReport[]).entries()) {
        if ('rows' in report) await reports.accept(report);
        else return resultsOf(reader, items.slice(index) as readonly FoldReport[]);
      }
    }
    return resultsOf(reader, []);
  }
}

/** What a share streams behind its progress. */
function resultsOf(reader: ItemReader<unknown>, begun: readonly FoldReport[]): ItemReader<Collected> {
  let first: readonly FoldReport[] | undefined = begun;
  return {
    read: async () => {
      const items = first?.length ? first : ((await reader.read()) as readonly FoldReport[] | null);
      first = undefined;
      return items?.flatMap((report) => ('results' in report ? report.results.map(collected) : [])) ?? null;
    },
    close: () => {
      reader.close();
    },
  };
}

function collected({ failure, ...result }: FoldedResult): Collected {
  if (failure === undefined) return result;
  const { key, code, message } = failure;
  return { ...result, failure: { key, error: Object.assign(new Error(message), { code }) } };
}
