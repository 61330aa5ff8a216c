/**
 * A table of text for a width.
 *
 * Guarantees: no line is wider than the width; without room, the least important columns are dropped, and then the
 * first column is cut; numbers are aligned right.
 */
import { cut, pad, printable, widthOf } from '../text/printable.js';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Without room, columns are dropped in the order of this number, the highest first; 0 (default) is never dropped. */
  readonly dispensable?: number;
}

const GAP = 2;
/** The least width of the first column. With less room, the whole line is cut instead. */
const LEAST_FIRST = 8;

/** The lines of the table, the titles first. Each row has one text per column. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string[] {
  const cells = [columns.map(({ title }) => title), ...rows].map((row) => row.map(printable));
  let kept = columns.map((_, index) => index);
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => widthOf(row[index] ?? ''))));
  const total = (): number => kept.reduce((sum, index) => sum + (widths[index] ?? 0) + GAP, -GAP);
  for (;;) {
    const least = Math.max(...kept.map((index) => columns[index]?.dispensable ?? 0));
    if (total() <= width || least === 0) break;
    kept = kept.filter((index) => (columns[index]?.dispensable ?? 0) < least);
  }
  const first = widths[0] ?? 0;
  const excess = Math.max(0, total() - width);
  widths[0] = Math.min(first, Math.max(LEAST_FIRST, first - excess));
  return cells.map((row) => {
    const line = kept.map((index) => {
      const room = widths[index] ?? 0;
      return pad(cut(row[index] ?? '', room), room, columns[index]?.align ?? 'left');
    });
    return cut(line.join(' '.repeat(GAP)).trimEnd(), width);
  });
}
