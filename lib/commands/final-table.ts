/**
 * The last output about a run: a table with one line per task, and a sentence.
 *
 * Guarantees: no line is wider than the columns; each record without an output is accounted for, with its reason if it
 * was skipped.
 */
import type { RunSummary, TaskSummary } from '../model/run-summary.js';
import { counted, cut, duration, grouped, oneLine, printable } from '../text/printable.js';
import { arrange } from '../model/sub-workflows.js';
import { entry } from '../text/entry.js';
import { rate } from './progress-frame.js';
import { renderTable, type Column } from './table.js';

const COLUMNS: readonly Column[] = [
  { title: 'task' },
  { title: 'kind', dispensable: 4 },
  { title: 'in', align: 'right' },
  { title: 'out', align: 'right' },
  { title: 'skipped', align: 'right' },
  { title: 'dead letters', align: 'right' },
  { title: 'retried', align: 'right', dispensable: 5 },
  { title: 'per second', align: 'right', dispensable: 1 },
  { title: 'p50 ms', align: 'right', dispensable: 3 },
  { title: 'p95 ms', align: 'right', dispensable: 2 },
  { title: 'max ms', align: 'right', dispensable: 6 },
];

const OUTCOMES: Readonly<Record<RunSummary['outcome'], string>> = {
  completed: 'completed',
  drained: 'drained (stopped early, the records in flight settled)',
  cancelled: 'cancelled (what was in flight is lost)',
  failed: 'failed',
};

/** The lines of the table and of the text after it. */
export function renderSummary(summary: RunSummary, columns: number): string[] {
  const tasks = Object.entries(summary.tasks);
  const reasons = tasks.flatMap(([name, task]) =>
    Object.entries(task.skipReasons).map(
      ([reason, count]) => `  ${grouped(count)} skipped by ${printable(name)}: ${oneLine(reason)}`,
    ),
  );
  const remembered = tasks.flatMap(([name, { memo }]) =>
    memo === undefined
      ? []
      : [`  ${grouped(memo.hits)} remembered by ${printable(name)}, ${grouped(memo.misses)} processed`],
  );
  const notRun = tasks.flatMap(([name, { reason }]) =>
    reason === undefined ? [] : [`  ${printable(name)} did not run: ${oneLine(reason)}`],
  );
  const iterating = tasks.flatMap(([name, { iterations }]) =>
    iterations === undefined ? [] : [`  ${counted(iterations, 'iteration')} of ${printable(name)}`],
  );
  const { skipped, deadLettered, lettersBefore = 0 } = summary;
  const before = lettersBefore > 0 ? `, and ${grouped(lettersBefore)} from earlier incarnations of the run` : '';
  const totals = `${grouped(skipped)} skipped, ${counted(deadLettered, 'dead letter')}${before}`;
  return [
    ...renderTable(COLUMNS, rowsOf(summary.tasks), columns),
    ...[...reasons, ...remembered, ...notRun, ...iterating].map((line) => cut(line, columns)),
    cut(
      `${printable(summary.workflow)}: ${OUTCOMES[summary.outcome]} in ${duration(summary.elapsedMs)}, ${totals}`,
      columns,
    ),
  ];
}

/** One row per task. A sub-workflow stands in front of its tasks, with the counts of the whole. */
function rowsOf(tasks: RunSummary['tasks']): string[][] {
  const named = Object.entries(tasks).map(([name, { whole }]) => ({ name, members: whole?.members }));
  return arrange(named).flatMap(({ name, depth }) => {
    const task = entry(tasks, name);
    return task === undefined ? [] : [rowOf(`${'  '.repeat(depth)}${name}`, task)];
  });
}

function rowOf(name: string, task: TaskSummary): string[] {
  const counts = task.whole ?? task;
  return [
    name,
    task.kind,
    ...[counts.in, counts.out, counts.skipped, counts.deadLettered, counts.retried].map(grouped),
    // A task that processed all records at the same moment has no rate.
    task.elapsedMs > 0 ? rate(task.recordsPerSecond) : '-',
    ...[task.latencyMs.p50, task.latencyMs.p95, task.latencyMs.max].map(milliseconds),
  ];
}

function milliseconds(value: number): string {
  return value >= 100 ? grouped(value) : value.toFixed(1);
}
