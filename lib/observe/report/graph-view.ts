/** The graph of a run with the counts of each task. Every task box links to the row of the task in the table. */
import { counted, cut, grouped } from '../../text/printable.js';
import type { GraphTask } from '../../model/events.js';
import type { TaskProgress } from '../../model/metrics.js';
import { html, type Html } from './html.js';
import { percent } from './in-words.js';
import { layOut, type Place } from './layout.js';
import { entry } from '../../text/entry.js';

const [BOX_WIDTH, BOX_HEIGHT] = [178, 58];
const [GAP_X, GAP_Y, MARGIN] = [56, 16, 8];
const NAME_LENGTH = 24;
/** The graph shrinks to this scale at most; in a narrower window it scrolls. */
const LEAST_SCALE = 0.7;

export interface GraphView {
  readonly graph: readonly GraphTask[];
  readonly tasks: Readonly<Record<string, ShownCounts>>;
  readonly bottleneck: string | undefined;
  /** Per task, the share of the run in which it was busy, 0 to 1. */
  readonly busy: ReadonlyMap<string, number>;
  /** By task, the id of its row in the table. */
  readonly rowIds: ReadonlyMap<string, string>;
}

/** The counts that a box shows. */
export type ShownCounts = Pick<TaskProgress, 'in' | 'out' | 'skipped' | 'deadLettered' | 'iterations'>;

export function graphView({ graph, tasks, bottleneck, busy, rowIds }: GraphView): Html {
  const { places, layers, rows, way } = layOut(graph);
  const width = layers * (BOX_WIDTH + GAP_X) - GAP_X + 2 * MARGIN;
  const height = rows * (BOX_HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN;
  const cornerAt = ({ layer, row }: Place): Corner => ({
    x: MARGIN + layer * (BOX_WIDTH + GAP_X),
    y: MARGIN + row * (BOX_HEIGHT + GAP_Y),
  });
  const cornerOf = (name: string): Corner => cornerAt(places.get(name) ?? { layer: 0, row: 0 });
  const lineOf = (from: string, to: string): Corner[] => [cornerOf(from), ...way(from, to).map(cornerAt), cornerOf(to)];
  const edges = graph.flatMap(({ name, dependencies, optional = [], after = [] }) => [
    ...dependencies.map((from) => ({
      line: lineOf(from, name),
      style: isOptional(optional, from) ? 'optional' : '',
    })),
    ...after.map((from) => ({ line: lineOf(from, name), style: 'rule' })),
  ]);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Graph of the tasks">
    <svg
      style="min-width: ${Math.round(width * LEAST_SCALE)}px; max-width: ${width}px"
      viewBox="0 0 ${width} ${height}"
      role="group"
      aria-label="Graph of ${graph.length} tasks"
    >
      ${edges.map(edgeView)}
      ${graph.map((task) => {
        const { x, y } = cornerOf(task.name);
        const isHot = task.name === bottleneck;
        const counts = countsOf(entry(tasks, task.name));
        const share = busy.get(task.name) ?? 0;
        const label = `${task.name}, ${task.kind}${isHot ? ', bottleneck' : ''}: ${counts}, ${percent(share)} busy`;
        return html`<a href="#${rowIds.get(task.name) ?? ''}" aria-label="${label}">
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

/** Whether an input that is optional comes from the task. */
export function isOptional(optional: readonly string[], from: string): boolean {
  return optional.some((input) => input === from || input.startsWith(`${from}.`));
}

/** The upper left corner of a box, or of the place that an edge passes. */
interface Corner {
  readonly x: number;
  readonly y: number;
}

interface EdgeView {
  /** The box that the edge comes from, the places that it passes, and the box that it goes to. */
  readonly line: readonly Corner[];
  /**
   * A class of the style sheet: '' for records, 'optional' for records that may be missing, 'rule' for an edge without
   * records.
   */
  readonly style: string;
}

/** A curve in each gap between two layers, and a straight line through each layer between. */
function edgeView({ line, style }: EdgeView): Html {
  const middle = (corner: Corner): number => corner.y + BOX_HEIGHT / 2;
  const [first, ...others] = line as [Corner, ...Corner[]];
  let path = `M${first.x + BOX_WIDTH} ${middle(first)}`;
  let before = first;
  for (const [index, corner] of others.entries()) {
    const [x1, x2] = [before.x + BOX_WIDTH, corner.x];
    const bend = Math.max(GAP_X / 2, (x2 - x1) / 2);
    path += `C${x1 + bend} ${middle(before)} ${x2 - bend} ${middle(corner)} ${x2} ${middle(corner)}`;
    if (index < others.length - 1) path += `H${corner.x + BOX_WIDTH}`;
    before = corner;
  }
  return html`<path class="edge ${style}" d="${path}" />`;
}

function countsOf(task: ShownCounts | undefined): string {
  if (task === undefined) return 'nothing yet';
  const { out, deadLettered, iterations } = task;
  const rounds = iterations === undefined ? '' : ` · ${counted(iterations, 'iteration')}`;
  return `${grouped(out)} out${rounds}${deadLettered > 0 ? ` · ${grouped(deadLettered)} given up` : ''}`;
}
