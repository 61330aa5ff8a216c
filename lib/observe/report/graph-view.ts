/** The graph of a run with the counts of each task. Every task box links to the row of the task in the table. */
import { cut, grouped } from '../../text/printable.js';
import type { GraphTask } from '../../model/events.js';
import type { TaskProgress } from '../../model/metrics.js';
import { html, type Html } from './html.js';
import { percent } from './in-words.js';
import { layOut } from './layout.js';
import { entry } from '../../text/entry.js';

const [BOX_WIDTH, BOX_HEIGHT] = [178, 58];
const [GAP_X, GAP_Y, MARGIN] = [56, 16, 8];
const NAME_LENGTH = 24;
/** The graph shrinks to this scale at most; in a narrower window it scrolls. */
const LEAST_SCALE = 0.7;

export interface GraphView {
  readonly graph: readonly GraphTask[];
  readonly tasks: Readonly<Record<string, TaskProgress>>;
  readonly bottleneck: string | undefined;
  /** Per task, the share of the run in which it was busy, 0 to 1. */
  readonly busy: ReadonlyMap<string, number>;
}

export function graphView({ graph, tasks, bottleneck, busy }: GraphView): Html {
  const { places, layers, rows } = layOut(graph);
  const width = layers * (BOX_WIDTH + GAP_X) - GAP_X + 2 * MARGIN;
  const height = rows * (BOX_HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN;
  const cornerOf = (name: string): { x: number; y: number } => {
    const { layer, row } = places.get(name) ?? { layer: 0, row: 0 };
    return { x: MARGIN + layer * (BOX_WIDTH + GAP_X), y: MARGIN + row * (BOX_HEIGHT + GAP_Y) };
  };
  const edges = graph.flatMap(({ name, dependencies, optional = [], after = [] }) => [
    ...dependencies.map((from) => ({
      from: cornerOf(from),
      to: cornerOf(name),
      style: optional.some((input) => input === from || input.startsWith(`${from}.`)) ? 'optional' : '',
    })),
    ...after.map((from) => ({ from: cornerOf(from), to: cornerOf(name), style: 'rule' })),
  ]);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Graph of the tasks">
    <svg
      style="min-width: ${Math.round(width * LEAST_SCALE)}px; max-width: ${width}px"
      viewBox="0 0 ${width} ${height}"
      role="group"
      aria-label="Graph of ${graph.length} tasks"
    >
      ${edges.map(edgeView)}
      ${graph.map((task, index) => {
        const { x, y } = cornerOf(task.name);
        const isHot = task.name === bottleneck;
        const counts = countsOf(entry(tasks, task.name));
        const share = busy.get(task.name) ?? 0;
        const label = `${task.name}, ${task.kind}${isHot ? ', bottleneck' : ''}: ${counts}, ${percent(share)} busy`;
        return html`<a href="#task-${index}" aria-label="${label}">
          <title>${task.name}</title>
          <rect
            class="box ${isHot ? 'hot' : ''}"
            x="${x}"
            y="${y}"
            width="${BOX_WIDTH}"
            height="${BOX_HEIGHT}"
            rx="7"
          />
          <rect
            class="busy"
            x="${x + 1}"
            y="${y + BOX_HEIGHT - 5}"
            width="${(share * (BOX_WIDTH - 2)).toFixed(1)}"
            height="4"
          />
          <text x="${x + 10}" y="${y + 20}" font-weight="600">${cut(task.name, NAME_LENGTH)}</text>
          <text class="quiet" x="${x + 10}" y="${y + 36}">${task.kind}${isHot ? ' · bottleneck' : ''}</text>
          <text class="quiet" x="${x + 10}" y="${y + 50}">${counts}</text>
        </a>`;
      })}
    </svg>
  </div>`;
}

interface EdgeView {
  readonly from: { readonly x: number; readonly y: number };
  readonly to: { readonly x: number; readonly y: number };
  /**
   * A class of the style sheet: '' for records, 'optional' for those that may be missing, 'rule' where no records flow.
   */
  readonly style: string;
}

function edgeView({ from, to, style }: EdgeView): Html {
  const [x1, y1] = [from.x + BOX_WIDTH, from.y + BOX_HEIGHT / 2];
  const [x2, y2] = [to.x, to.y + BOX_HEIGHT / 2];
  const bend = Math.max(GAP_X / 2, (x2 - x1) / 2);
  return html`<path class="edge ${style}" d="M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}" />`;
}

function countsOf(task: TaskProgress | undefined): string {
  if (task === undefined) return 'nothing yet';
  const { out, deadLettered } = task;
  return `${grouped(out)} out${deadLettered > 0 ? ` · ${grouped(deadLettered)} given up` : ''}`;
}
