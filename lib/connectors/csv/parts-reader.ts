/**
 * Returns the rows of a CSV file that threads read in parts, in the order of the file.
 *
 * Guarantees: the parts are assigned to the threads in turn, so that all threads work close to the current position.
 * Memory is limited to what the streams read ahead.
 */
import type { Executor, ItemReader } from '../../connect/parts.js';
import { MillraceError, type ErrorCode, Rejected, skip, type Skip } from '../../connect/values.js';
import type { SourcePartition } from '../../connect/index.js';
import type { CrossedRow, PartRequest } from './part-thread.js';
import type { CsvPart } from './plan-parts.js';

export const PART_THREAD = new URL('./part-thread.js', import.meta.url).href;

/** Reads `parts` with `streams` threads. */
export function readParts<Out>(
  executor: Executor,
  request: PartRequest,
  parts: readonly CsvPart[],
  streams: number,
): SourcePartition<Out> {
  const readers = Array.from({ length: Math.min(streams, parts.length) }, (_, stream) => {
    const own = parts.filter((_, index) => index % streams === stream);
    return new StreamRows(
      executor.stream({ module: PART_THREAD, export: 'partRows', args: { ...request, parts: own } }),
    );
  });
  let part = 0;
  return {
    partition: 0,
    read: async (max) => {
      while (part < parts.length) {
        const rows = await (readers[part % streams] as StreamRows).read(max);
        if (rows !== null) return { records: rows.map((row) => arrived<Out>(row)) };
        part++;
      }
      return null;
    },
    close: () => {
      for (const reader of readers) reader.close();
    },
  };
}

/** The rows of one stream; null at the end of each part. */
class StreamRows {
  private readonly source: ItemReader<unknown>;
  private items: readonly (readonly CrossedRow[] | null)[] = [];
  private at = 0;
  private row = 0;

  constructor(source: ItemReader<unknown>) {
    this.source = source;
  }

  async read(max: number): Promise<readonly CrossedRow[] | null> {
    for (;;) {
      const item = this.items[this.at];
      if (item === undefined) {
        const items = await this.source.read();
        if (items === null) return null;
        this.items = items as readonly (readonly CrossedRow[] | null)[];
        this.at = 0;
      } else if (item === null || this.row < item.length) {
        if (item === null) {
          this.at++;
          return null;
        }
        const rows = item.slice(this.row, this.row + max);
        this.row += rows.length;
        return rows;
      } else {
        this.at++;
        this.row = 0;
      }
    }
  }

  close(): void {
    this.source.close();
  }
}

function arrived<Out>(row: CrossedRow): Out | Skip | Rejected {
  if (row.length === 1) return row[0] as Out;
  if (row.length === 2) return skip(row[1]);
  const [input, code, message] = row;
  return new Rejected(input, new MillraceError(code as ErrorCode, message));
}
