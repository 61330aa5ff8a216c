/**
 * The text of a run in progress: pure functions of the counts, so that tests need no terminal.
 *
 * Guarantees: no line is wider than the columns, and there are no more lines than rows.
 */
import type { TaskCounts } from '../model/metrics.js';
import type { Bottleneck } from '../model/metrics.js';
import { counted, cut, duration, grouped, printable } from '../text/printable.js';
import { renderTable, type Column } from './table.js';

export interface Frame {
  readonly workflow: string;
  readonly state: 'running' | 'draining' | 'aborting';
  readonly elapsedMs: number;
  readonly tasks: readonly FrameTask[];
  /** The resources of the process, as a short text. */
  readonly resources?: string | undefined;
  readonly bottleneck?: Bottleneck | undefined;
  /** An estimate of the milliseconds that are left. */
  readonly leftMs?: number | undefined;
}

export interface FrameTask {
  readonly name: string;
  readonly counts: TaskCounts;
  readonly perSecond: number;
  /** The share of its work that is done, 0 to 1; undefined if the total is not known. */
  readonly share?: number | undefined;
  /** The number of sub-workflows around it. Default 0. */
  readonly depth?: number;
  /** Whether the counts are those of a sub-workflow, whose tasks follow. */
  readonly isWhole?: boolean;
}

/** The style of a line on a terminal with colours. */
export type Tone = 'head' | 'quiet' | 'bottleneck' | 'failed';
/** Returns the text in this style; must not change its width. */
export type Paint = (tone: Tone, text: string) => string;

const BAR_COLUMNS = 10;
const COLUMNS: readonly Column[] = [
  { title: 'task' },
  { title: 'progress', dispensable: 4 },
  { title: 'done', align: 'right' },
  { title: 'in flight', align: 'right', dispensable: 2 },
  { title: 'skipped', align: 'right', dispensable: 3 },
  { title: 'failed', align: 'right' },
  { title: 'per second', align: 'right', dispensable: 1 },
];

/** Records that the task has completed: emitted, folded into a state, or skipped on purpose; no dead letters. */
export function doneOf({ in: accepted, out, inFlight, deadLettered }: TaskCounts): number {
  return Math.max(out, accepted - inFlight - deadLettered);
}

/** As `doneOf`. A sub-workflow is done with the records that have left it. */
function doneBy({ counts, isWhole }: FrameTask): number {
  return isWhole === true ? counts.out : doneOf(counts);
}

/** The lines of the live frame. */
export function renderFrame(frame: Frame, columns: number, rows: number, paint: Paint = plain): string[] {
  const { workflow, state, elapsedMs, leftMs, resources, bottleneck } = frame;
  const left = leftMs === undefined ? '' : `  about ${duration(leftMs)} left`;
  const head = [paint('head', cut(`${printable(workflow)}  ${state}  ${duration(elapsedMs)}${left}`, columns))];
  // Without room for both, tasks matter more than resources.
  if (resources !== undefined && rows > frame.tasks.length + 3) head.push(paint('quiet', cut(resources, columns)));
  // Two rows are for the titles and for the line with the cursor.
  const room = Math.max(1, rows - head.length - 2);
  const fits = frame.tasks.length <= room;
  // Without room for all tasks, a sub-workflow is one row, if that is enough.
  const outer = fits ? frame.tasks : frame.tasks.filter(({ depth = 0 }) => depth === 0);
  const isOutline = outer.length < frame.tasks.length && outer.length <= room - 1;
  const shown = fits || isOutline ? outer : mostAlive(frame.tasks, room - 1, bottleneck?.task);
  const isBarred = shown.some(({ share }) => share !== undefined);
  const [titles = '', ...table] = renderTable(
    COLUMNS.filter(({ title }) => isBarred || title !== 'progress'),
    shown.map((task) => rowOf(task, isBarred, bottleneck)),
    columns,
  );
  const lines = [
    ...head,
    paint('quiet', titles),
    ...table.map((line, index) => painted(line, shown[index], frame, paint)),
  ];
  if (!fits) lines.push(paint('quiet', cut(`and ${counted(frame.tasks.length - shown.length, 'more task')}`, columns)));
  return lines.slice(0, Math.max(1, rows - 1));
}

/** One line for a task, for output without a terminal. */
export function renderLine(task: FrameTask, elapsedMs: number): string {
  const { counts, perSecond, name } = task;
  const parts = [
    `${grouped(doneBy(task))} done`,
    `${grouped(counts.inFlight)} in flight`,
    ...(counts.iterations === undefined ? [] : [counted(counts.iterations, 'iteration')]),
    ...(counts.skipped > 0 ? [`${grouped(counts.skipped)} skipped`] : []),
    `${grouped(counts.deadLettered)} failed`,
    `${rate(perSecond)} per second`,
  ];
  return `${duration(elapsedMs).padStart(8)}  ${printable(name)}: ${parts.join(', ')}`;
}

/** A rate for people: only small numbers have a decimal. */
export function rate(perSecond: number): string {
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : grouped(perSecond);
}

/** Selects the bottleneck and the tasks that hold records first, but returns them in the order of the graph. */
function mostAlive(tasks: readonly FrameTask[], count: number, bottleneck: string | undefined): FrameTask[] {
  const interest = ({ name, counts }: FrameTask): number => (name === bottleneck ? 2 : Number(counts.inFlight > 0));
  const chosen = new Set([...tasks].sort((a, b) => interest(b) - interest(a)).slice(0, count));
  return tasks.filter((task) => chosen.has(task));
}

/** The row of a task. An arrow shows the bottleneck also without colours. */
function rowOf(task: FrameTask, isBarred: boolean, bottleneck?: Bottleneck): string[] {
  const { name, counts, perSecond, share, depth = 0 } = task;
  const arrow = bottleneck === undefined ? '' : name === bottleneck.task ? '▸ ' : '  ';
  return [
    `${arrow}${'  '.repeat(depth)}${name}`,
    ...(isBarred ? [share === undefined ? '' : bar(share)] : []),
    grouped(doneBy(task)),
    grouped(counts.inFlight),
    grouped(counts.skipped),
    grouped(counts.deadLettered),
    rate(perSecond),
  ];
}

/** `█████▌ 54 %`: the bar can end in half a column. */
function bar(share: number): string {
  const halves = Math.round(Math.min(1, Math.max(0, share)) * BAR_COLUMNS * 2);
  const full = '█'.repeat(Math.floor(halves / 2)) + (halves % 2 === 1 ? '▌' : '');
  // Never 100 % before the last record.
  return `${full.padEnd(BAR_COLUMNS, '░')} ${String(Math.floor(share * 100)).padStart(3)} %`;
}

function painted(line: string, task: FrameTask | undefined, { bottleneck }: Frame, paint: Paint): string {
  if (task === undefined) return line;
  if (task.name === bottleneck?.task) return paint('bottleneck', line);
  return task.counts.deadLettered > 0 ? paint('failed', line) : line;
}

function plain(_tone: Tone, text: string): string {
  return text;
}
