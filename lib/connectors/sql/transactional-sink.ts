/**
 * A table as a sink that stores the progress of the run in the transaction of the rows.
 *
 * Guarantees: a row is in the table once, no matter when the process or the database dies. A transaction whose end is
 * unknown is looked up before it is repeated. The failure policy ends a row that the database refuses; other rows are
 * written. A process that another one has replaced writes no more rows.
 */
import {
  describeThrown,
  holdClock,
  MillraceError,
  fieldsOfRow,
  UnseenColumns,
  type ConnectorContext,
  type Dataset,
  type LineageId,
  type RefusedRow,
  type RunOutcome,
  type Sink,
  type StoredRows,
  type SinkPast,
  type SinkRows,
} from '../../connect/index.js';
import { StoredRecords } from './stored-records.js';
import { Patience } from './patience.js';
import { databaseAway, refusedRow, wrongStatement, type SqlFailure } from './sql-errors.js';
import { StoredRanges, type WriteProgress } from './write-progress.js';

/** The identity of a sink in a database, the same in every incarnation of a run. */
export interface SinkIdentity {
  readonly runId: string;
  readonly task: string;
}

/** Returns the progress of a write from which these rows were refused. */
export type ProgressOf = (refused: readonly RefusedRow[]) => WriteProgress;

/** A table of a database, with the tables of the progress beside it. */
export interface SinkTable<Row> {
  /** The table, for messages. */
  readonly name: string;
  /**
   * Opens a connection, and the tables. Makes this process the owner of the sink, after each earlier transaction of it
   * has ended, and fills `stored`. With `isAnew` the stored progress is removed. After a lost connection, `isAgain` is
   * true: then it throws MILLRACE_LOCKED if another process has become the owner.
   */
  open(
    identity: SinkIdentity,
    how: { readonly isAnew: boolean; readonly isAgain: boolean },
    stored: StoredRecords,
  ): Promise<void>;
  /** The row of a record. Throws for a value that no column can contain. */
  encode(fields: Readonly<Record<string, unknown>>): Row;
  /**
   * Writes the rows that the database accepts, and the progress of these, in one transaction. Returns the refused ones
   * with the errors of the database. Throws MILLRACE_LOCKED if another process is the owner.
   */
  write(rows: readonly Row[], progressOf: ProgressOf, epoch: number): Promise<readonly RefusedRow[]>;
  /**
   * Removes the names of records that are not needed again: those of earlier epochs. The names in `seen` get this
   * epoch.
   */
  forget(epoch: number, seen: readonly LineageId[]): Promise<void>;
  /** Removes the progress, because the run is over. */
  finish(): Promise<void>;
  /** Ends the connection at once. May be called in every state. */
  disconnect(): void;
  /** The kind of an error of this table. */
  failureOf(error: unknown): SqlFailure;
  /** The message of an error of the database, with advice for its correction. */
  describe(error: unknown): string;
}

/** The parts of a `TransactionalSink`. */
export interface TransactionalSinkParts<In, Row> {
  readonly kind: string;
  readonly dataset: Dataset;
  /** Makes the table of one run. */
  readonly tableOf: (context: ConnectorContext) => SinkTable<Row>;
  readonly row: ((record: In) => object) | undefined;
  readonly retryForMs: number | undefined;
  /** Whether a row that is written again replaces the one that is there. */
  readonly replaces: boolean;
}

export class TransactionalSink<In, Row> implements Sink<In, Row> {
  readonly kind: string;
  readonly checkpointFormat: string;
  readonly dataset: Dataset;
  private readonly parts: TransactionalSinkParts<In, Row>;
  private readonly ranges = new StoredRanges();
  private context: ConnectorContext | undefined;
  private table: SinkTable<Row> | undefined;
  private stored = new StoredRecords();
  private isConnected = false;
  private unseen = new UnseenColumns([]);
  /** Counts the checkpoints of this incarnation. */
  private epoch = 0;
  private hasNames = false;
  /** Records of earlier incarnations that have passed since the last checkpoint. */
  private seen: LineageId[] = [];
  private readonly stop = (): void => {
    this.table?.disconnect();
  };

  constructor(parts: TransactionalSinkParts<In, Row>) {
    this.parts = parts;
    this.kind = parts.kind;
    this.checkpointFormat = parts.kind;
    this.dataset = parts.dataset;
  }

  async open(context: ConnectorContext, past: SinkPast | undefined): Promise<StoredRows> {
    this.context = context;
    this.epoch = 0;
    this.hasNames = false;
    this.seen = [];
    this.unseen = new UnseenColumns(this.dataset.fields ?? [], past);
    const table = this.parts.tableOf(context);
    this.table = table;
    context.signal.addEventListener('abort', this.stop);
    const isAnew = past?.isAnew === true;
    if (isAnew && !this.parts.replaces) {
      context.notice(
        `'${context.task}' writes all rows again. Rows of earlier incarnations stay in the table, so these rows appear twice`,
      );
    }
    await this.untilDone(async () => {
      this.isConnected = false;
      await this.connect(isAnew, false);
    });
    return { has: (id) => this.stored.has(id) };
  }

  encode(record: In): Row {
    const { table, context } = this.opened();
    const { row } = this.parts;
    const fields = fieldsOfRow(row === undefined ? record : row(record), context.task);
    this.unseen.look(fields);
    return table.encode(fields);
  }

  async write({ root, partition, numbers, names, rows }: SinkRows<Row>): Promise<readonly RefusedRow[]> {
    const { table, context } = this.opened();
    // In a sink that does not keep the order, numbers come in any order.
    const order = inOrder(numbers);
    const isNew = (i: number): boolean => {
      const id = { root, partition, number: numbers[i] as number };
      return !this.stored.has(names === undefined ? id : { ...id, name: names[i] as string });
    };
    if (names !== undefined) this.hasNames = true;
    let left = order;
    const refused = await this.untilDone(async () => {
      if (!this.isConnected) {
        await this.connect(false, true);
        // The transaction whose end was unknown has ended by now, and its rows are in `stored`.
        left = left.filter(isNew);
      }
      if (left.length === 0) return [];
      const progressOf: ProgressOf = (without) => {
        const out = new Set(without.map(({ row }) => left[row]));
        const stored = left.filter((i) => !out.has(i));
        if (names !== undefined) {
          return { root, partition, ranges: [], joined: [], names: stored.map((i) => names[i] as string) };
        }
        const ascending = stored.map((i) => numbers[i] as number);
        return { root, partition, ...this.ranges.extendedBy(root, partition, ascending), names: [] };
      };
      const some = left.map((i) => rows[i] as Row);
      const apart = await table.write(some, progressOf, this.epoch);
      this.ranges.stored(progressOf(apart));
      return apart.map(({ row, error }) => ({
        row: left[row] as number,
        error: refusedRow(`Table ${table.name} of '${context.task}'`, table.describe(error), error),
      }));
    });
    return refused;
  }

  async prepare(): Promise<undefined> {
    if (!this.hasNames && this.seen.length === 0) return;
    const { table } = this.opened();
    const [epoch, seen] = [this.epoch, this.seen];
    this.seen = [];
    await this.untilDone(async () => {
      if (!this.isConnected) await this.connect(false, true);
      await table.forget(epoch, seen);
    });
    this.epoch++;
  }

  async close(outcome: RunOutcome): Promise<void> {
    const { table, context } = this;
    this.table = undefined;
    if (table === undefined || context === undefined) return;
    context.signal.removeEventListener('abort', this.stop);
    if (outcome === 'completed') this.unseen.report(context);
    try {
      if (outcome === 'completed' && this.isConnected) await holdClock(context.clock, table.finish());
    } catch (error) {
      // Every row is written; only the record of the progress stays.
      context.notice(`The progress of '${context.task}' could not be removed: ${describeThrown(error)}`);
    } finally {
      table.disconnect();
    }
  }

  private async connect(isAnew: boolean, isAgain: boolean): Promise<void> {
    const { table, context } = this.opened();
    const stored = new StoredRecords((id) => {
      this.seen.push(id);
    });
    table.disconnect();
    await table.open({ runId: context.runId, task: context.task }, { isAnew, isAgain }, stored);
    this.stored = stored;
    this.ranges.clear();
    for (const ranges of stored.ranges()) this.ranges.stored(ranges);
    this.isConnected = true;
  }

  /** Repeats the work while the database is unavailable or asks for a repetition. */
  private async untilDone<T>(work: () => Promise<T>): Promise<T> {
    const { table, context } = this.opened();
    const patience = new Patience(context, this.parts.retryForMs);
    for (;;) {
      try {
        return await holdClock(context.clock, work());
      } catch (error) {
        if (error instanceof MillraceError) throw error;
        const of = `Table ${table.name} of '${context.task}'`;
        const failure = table.failureOf(error);
        if (failure === 'lost') this.isConnected = false;
        if (failure === 'row' || failure === 'statement') throw wrongStatement(of, table.describe(error), error);
        if (!(await patience.wait())) throw databaseAway(of, table.describe(error), error);
      }
    }
  }

  private opened(): { readonly table: SinkTable<Row>; readonly context: ConnectorContext } {
    const { table, context } = this;
    if (table === undefined || context === undefined) throw new TypeError('The sink is not open');
    return { table, context };
  }
}

/** The indices of the numbers in ascending order. */
function inOrder(numbers: readonly number[]): number[] {
  const order = numbers.map((_, i) => i);
  const isAscending = numbers.every((number, i) => i === 0 || number > (numbers[i - 1] as number));
  return isAscending ? order : order.sort((a, b) => (numbers[a] as number) - (numbers[b] as number));
}
