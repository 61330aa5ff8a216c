/** The explanation of a workflow as text: one table per question. */
import { crashText, type Explanation, type PathTask } from '../observe/report/explanation.js';
import { duration, grouped, printable } from '../text/printable.js';
import { renderTable } from './table.js';

/** The lines of the text. */
export function explanationText(explanation: Explanation): string[] {
  const { workflow, run, obstacle, unrepeatable } = explanation;
  return [
    `${printable(workflow)}: ${run === null ? 'no run was measured' : `measures of run ${printable(run)}`}`,
    '',
    ...pathLines(explanation),
    '',
    ...memoryLines(explanation),
    '',
    obstacle === null ? 'After a crash, a resumed run' : `A run cannot be resumed: ${printable(obstacle)}`,
    ...(obstacle === null ? crashLines(explanation) : []),
    '',
    unrepeatable.length === 0 ? 'Each read and each result can be repeated.' : 'Cannot be repeated',
    ...indented(unrepeatable.map(({ task, reason }) => [task, reason])),
  ];
}

function pathLines({ run, criticalPath: { tasks, recordMs, busiest } }: Explanation): string[] {
  const isMeasured = run !== null;
  const head = isMeasured
    ? `Critical path: ${milliseconds(recordMs)} per record (the sum of the medians of waiting and work)`
    : 'Critical path: the chain with the most tasks';
  const rows = tasks.map((task) => [task.task, ...(isMeasured ? timesOf(task) : [])]);
  const titles = isMeasured ? ['task', 'a record', 'busy'] : ['task'];
  return [
    head,
    ...renderTable(titles.map(columnOf), rows, Infinity).map((line) => `  ${line}`),
    ...(busiest === null ? [] : [`Busiest task: ${printable(busiest.task)}, ${milliseconds(busiest.busyMs)}`]),
  ];
}

function memoryLines({ run, memory, memoryPeakBytes }: Explanation): string[] {
  const isMeasured = run !== null;
  const rows = memory.map(({ of, what, most, seen }) => [
    of,
    what,
    grouped(most),
    ...(isMeasured ? [seen === null ? '' : grouped(seen)] : []),
  ]);
  const titles = ['root or task', 'what', 'at most', ...(isMeasured ? ['seen'] : [])];
  const peak = memoryPeakBytes === null ? [] : [`Peak of the process: ${grouped(memoryPeakBytes / 2 ** 20)} MiB`];
  return [
    'Memory is bounded by',
    ...renderTable(titles.map(columnOf), rows, Infinity).map((line) => `  ${line}`),
    ...peak,
  ];
}

function crashLines({ afterCrash }: Explanation): string[] {
  return indented(afterCrash.map((one) => [one.task, crashText(one)]));
}

/** Rows of two cells without titles. */
function indented(rows: readonly (readonly string[])[]): string[] {
  const [, ...lines] = renderTable([{ title: '' }, { title: '' }], rows, Infinity);
  return lines.map((line) => `  ${line}`);
}

function timesOf({ recordMs, busyMs }: PathTask): string[] {
  return [recordMs, busyMs].map(milliseconds);
}

function milliseconds(ms: number | null): string {
  if (ms === null) return '-';
  return ms < 1000 ? `${ms.toFixed(ms < 10 ? 2 : 0)} ms` : duration(ms);
}

function columnOf(title: string): { readonly title: string; readonly align?: 'right' } {
  return ['at most', 'seen', 'a record', 'busy'].includes(title) ? { title, align: 'right' } : { title };
}
