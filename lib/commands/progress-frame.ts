/**
 * What a run looks like while it runs, as text: pure functions of the counts, so that they can be tested without a
 * terminal. Promise: no line is wider than the columns, and there are no more lines than rows.
 */
import type { TaskCounts } from '../core/account.js';
import { counted, cut, duration, grouped, printable } from './printable.js';
import { renderTable, type Column } from './table.js';

export interface Frame {
  readonly workflow: string;
  readonly state: 'running' | 'draining' | 'aborting';
  readonly elapsedMs: number;
  readonly tasks: readonly FrameTask[];
}

export interface FrameTask {
  readonly name: string;
  readonly counts: TaskCounts;
  readonly perSecond: number;
}

const COLUMNS: readonly Column[] = [
  { title: 'task' },
  { title: 'done', align: 'right' },
  { title: 'in flight', align: 'right', dispensable: 2 },
  { title: 'skipped', align: 'right', dispensable: 3 },
  { title: 'failed', align: 'right' },
  { title: 'per second', align: 'right', dispensable: 1 },
];

/** Records the task has dealt with and did not give up: passed on, folded in, or skipped on purpose. */
export function doneOf({ in: taken, out, inFlight, deadLettered }: TaskCounts): number {
  return Math.max(out, taken - inFlight - deadLettered);
}

/** The lines of the live frame. */
export function renderFrame(frame: Frame, columns: number, rows: number): string[] {
  const head = cut(`${printable(frame.workflow)}  ${frame.state}  ${duration(frame.elapsedMs)}`, columns);
  // The head, the titles, and the line the cursor stands on.
  const room = Math.max(1, rows - 3);
  const fits = frame.tasks.length <= room;
  const shown = fits ? frame.tasks : mostAlive(frame.tasks, room - 1);
  const lines = [head, ...renderTable(COLUMNS, shown.map(rowOf), columns)];
  if (!fits) lines.push(cut(`and ${counted(frame.tasks.length - shown.length, 'more task')}`, columns));
  return lines.slice(0, Math.max(1, rows - 1));
}

/** One line for a task, where there is no terminal to draw on. */
export function renderLine(task: FrameTask, elapsedMs: number): string {
  const { counts, perSecond, name } = task;
  const parts = [
    `${grouped(doneOf(counts))} done`,
    `${grouped(counts.inFlight)} in flight`,
    ...(counts.skipped > 0 ? [`${grouped(counts.skipped)} skipped`] : []),
    `${grouped(counts.deadLettered)} failed`,
    `${rate(perSecond)} per second`,
  ];
  return `${duration(elapsedMs).padStart(8)}  ${printable(name)}: ${parts.join(', ')}`;
}

/** A rate for people: with a decimal only while it is small. */
export function rate(perSecond: number): string {
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : grouped(perSecond);
}

/** Those that hold records first, but shown in the order of the graph. */
function mostAlive(tasks: readonly FrameTask[], count: number): FrameTask[] {
  const chosen = new Set(
    [...tasks].sort((a, b) => Number(b.counts.inFlight > 0) - Number(a.counts.inFlight > 0)).slice(0, count),
  );
  return tasks.filter((task) => chosen.has(task));
}

function rowOf({ name, counts, perSecond }: FrameTask): string[] {
  return [
    name,
    grouped(doneOf(counts)),
    grouped(counts.inFlight),
    grouped(counts.skipped),
    grouped(counts.deadLettered),
    rate(perSecond),
  ];
}
