/** A list in memory as a connector, right, and broken in one way each. */
import {
  MillraceError,
  type Json,
  type Sink,
  type SinkPast,
  type SinkRows,
  type Source,
  type SourceRead,
} from 'millrace/connect';

/** How a list source is broken. */
export type SourceFault =
  | 'loses its dataset'
  | 'ignores max'
  | 'loses falsy records'
  | 'swaps records'
  | 'never ends'
  | 'positions lie'
  | 'cannot be reopened'
  | 'reads ahead'
  | 'refuses a repeated settled'
  | 'starts too late'
  | 'hides a missing place';

export interface List {
  readonly items: readonly unknown[];
  recordsRead: number;
  isOpen: boolean;
}

export function listSource(list: List | undefined, fault?: SourceFault): Source<unknown> {
  let at = 0;
  let settled = -1;
  return {
    ...(fault === 'loses its dataset' ? {} : { dataset: { namespace: 'memory', name: 'list' } }),
    open: (_context, past) => {
      if (list === undefined && fault !== 'hides a missing place') throw new MillraceError('MILLRACE_FILE', 'No list');
      const { items } = list ?? { items: [] };
      if (list !== undefined) {
        if (list.isOpen && fault === 'cannot be reopened') throw new MillraceError('MILLRACE_LOCKED', 'It is open');
        list.isOpen = true;
      }
      const from = past === undefined ? 0 : past.from + (fault === 'starts too late' ? 1 : 0);
      at = from;
      const all = fault === 'loses falsy records' ? items.filter(Boolean) : items;
      return [
        {
          partition: 0,
          from,
          read: (max) => {
            if (at >= all.length) return fault === 'never ends' ? { records: [] } : null;
            const end = fault === 'ignores max' ? all.length : at + max;
            const records = all.slice(at, end);
            if (fault === 'swaps records') records.reverse();
            at += records.length;
            if (list !== undefined) list.recordsRead = fault === 'reads ahead' ? all.length : at;
            return { records, position: { lineage: fault === 'positions lie' ? at + 1 : at } };
          },
        },
      ];
    },
    settled: ([progress]) => {
      if (fault === 'refuses a repeated settled' && progress?.watermark === settled) throw new TypeError('Again');
      settled = progress?.watermark ?? settled;
    },
    close: () => {
      if (list !== undefined && fault !== 'cannot be reopened') list.isOpen = false;
    },
  };
}

/** How a source with several lists is broken. */
export type PartitionFault =
  | 'gives its partitions one number'
  | 'has one cursor for all'
  | 'waits for its first partition'
  | 'continues all alike'
  | 'numbers records anew'
  | 'skips what is needed'
  | 'opens only what it knows'
  | 'begins a new partition late'
  | 'ends with its shortest partition'
  | 'wants the progress of all'
  | 'reads the wrong partition';

/** Lists as partitions. */
export function listsSource(lists: readonly (readonly unknown[])[], fault?: PartitionFault): Source<unknown> {
  return {
    dataset: { namespace: 'memory', name: 'lists' },
    isPartitioned: true,
    open: (_context, past) => {
      const cursors = lists.map(() => 0);
      let isAnyOver = false;
      let hasFirst: () => void = () => undefined;
      const first = new Promise<void>((resolve) => {
        hasFirst = resolve;
      });
      const known = past?.partitions.map(({ partition }) => partition);
      return lists.flatMap((items, partition) => {
        if (fault === 'opens only what it knows' && known !== undefined && !known.includes(partition)) return [];
        const own = past?.partitions.find((one) => one.partition === partition);
        let from = own?.position?.lineage ?? 0;
        if (fault === 'continues all alike' && past !== undefined) from = past.from;
        if (fault === 'skips what is needed' && own !== undefined) from = own.from + 1;
        if (fault === 'begins a new partition late' && past !== undefined && own === undefined) from = 1;
        const cursor = fault === 'has one cursor for all' ? 0 : partition;
        cursors[cursor] = from;
        const list = (fault === 'reads the wrong partition' ? lists.at(partition - 1) : items) ?? [];
        const read = (max: number): SourceRead<unknown> | null => {
          const at = cursors[cursor] as number;
          const records = list.slice(at, at + max);
          if (records.length === 0) isAnyOver = true;
          if (records.length === 0 || (isAnyOver && fault === 'ends with its shortest partition')) return null;
          cursors[cursor] = at + records.length;
          const lineage = at + records.length;
          return { records, position: { lineage } };
        };
        return {
          partition: fault === 'gives its partitions one number' ? 0 : partition,
          from: fault === 'numbers records anew' ? 0 : from,
          read: async (max) => {
            if (partition === 0) hasFirst();
            else if (fault === 'waits for its first partition') await first;
            return read(max);
          },
        };
      });
    },
    settled: (progress) => {
      if (fault === 'wants the progress of all' && progress.length < lists.length) throw new TypeError('Not all');
    },
  };
}

/** How a table is broken. */
export type SinkFault =
  | 'loses its dataset'
  | 'loses falsy records'
  | 'writes at once'
  | 'commits again'
  | 'forgets what was prepared'
  | 'commits when it fails'
  | 'loses the last rows'
  | 'shows a row of its own'
  | 'swaps rows'
  | 'holds everything'
  | 'keeps what was not prepared';

/** A store whose transactions survive the process. */
export class Table {
  readonly rows: unknown[] = [];
  readonly numbers = new Set<number>();
  readonly prepared = new Map<string, SinkRows<unknown>[]>();
  readonly committed = new Set<string>();
  next = 1;
}

export function tableSink(table: Table, keepsLineages: boolean, fault?: SinkFault): Sink<unknown> {
  let open: SinkRows<unknown>[] = [];
  const show = (some: readonly SinkRows<unknown>[]): void => {
    for (const { rows, numbers } of some) {
      table.rows.push(...(fault === 'swaps rows' ? [...rows].reverse() : rows));
      for (const number of numbers) table.numbers.add(number);
    }
  };
  const commit = (id: Json): void => {
    const isDone = table.committed.has(id as string);
    if (isDone && fault !== 'commits again') return;
    table.committed.add(id as string);
    show(table.prepared.get(id as string) ?? []);
  };
  return {
    ...(fault === 'loses its dataset' ? {} : { dataset: { namespace: 'memory', name: 'table' } }),
    open: (_context, past: SinkPast | undefined) => {
      if (fault === 'shows a row of its own') table.rows.push('header');
      if (past?.prepared !== undefined && fault !== 'forgets what was prepared') commit(past.prepared);
      if (!keepsLineages) return undefined;
      return { has: ({ number }) => fault === 'holds everything' || table.numbers.has(number) };
    },
    write: (rows) => {
      const some = rows.rows.some((row) => !row) && fault === 'loses falsy records' ? [] : [rows];
      if (fault === 'writes at once') show(some);
      else open.push(...some);
    },
    prepare: () => {
      if (open.length === 0) return undefined;
      const id = `t${table.next++}`;
      table.prepared.set(id, open);
      if (fault === 'keeps what was not prepared') table.prepared.set(id, open.slice());
      else open = [];
      return id;
    },
    commit,
    close: (outcome) => {
      if (fault === 'commits when it fails' && outcome !== 'completed') show(open);
      if (fault === 'loses the last rows' && outcome === 'completed') table.rows.pop();
    },
  };
}
