/**
 * Finds columns of a result that no record had, such as one whose name is misspelt. Records may lack a column, so that
 * is no error: it is reported at the end.
 *
 * Guarantees: once each column was seen, a record costs one comparison.
 */
import { nearest } from '../text/nearest.js';
import type { ConnectorContext } from './context.js';
import type { SinkPast } from './sink.js';

/** The columns of one result that no record has had yet. */
export class UnseenColumns {
  private unseen: readonly string[];
  /** Names of properties that are no columns, from the first records. */
  private readonly others = new Set<string>();
  private readonly columns: ReadonlySet<string>;
  private hasLooked = false;

  /**
   * @param columns the columns of the result.
   * @param past the past of a resumed run. Its earlier records may have had any column, so nothing is reported.
   */
  constructor(columns: readonly string[], past?: SinkPast) {
    this.columns = new Set(columns);
    this.unseen = past === undefined ? columns : [];
  }

  /** Looks at the fields of a record. */
  look(fields: object): void {
    this.hasLooked = true;
    if (this.unseen.length === 0) return;
    this.unseen = this.unseen.filter((column) => !Object.hasOwn(fields, column) && !isInherited(fields, column));
    if (this.others.size < MOST_OTHERS) {
      for (const name of Object.keys(fields)) if (!this.columns.has(name)) this.others.add(name);
    }
  }

  /** Reports the columns that no record had, if there were records. */
  report(context: Pick<ConnectorContext, 'task' | 'notice'>): void {
    if (!this.hasLooked) return;
    for (const column of this.unseen) {
      const close = nearest(column, this.others);
      const hint = close === undefined ? '' : `. Did you mean '${close}'?`;
      context.notice(`No record that '${context.task}' wrote had the column '${column}', so it is empty${hint}`);
    }
  }
}

const MOST_OTHERS = 100;

/** Whether an object of a class has the column, as a getter. The members that every object inherits are no columns. */
function isInherited(fields: object, column: string): boolean {
  return column in fields && !(column in Object.prototype);
}
