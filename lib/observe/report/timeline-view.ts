/**
 * The timeline of a run: one row per task. A row is darker where the task was busy for more of the time. Overlapping
 * rows show streaming.
 */
import { cut, grouped } from '../../text/printable.js';
import { timeAxis } from './chart.js';
import { html, type Html } from './html.js';
import { duration, percent } from './in-words.js';
import type { RunStory, TaskStretch } from './run-story.js';
import { table } from './table.js';

const [NAME_WIDTH, ROWS_WIDTH, ROW, GAP, AXIS] = [190, 700, 16, 5, 24];
const NAME_LENGTH = 25;

export function timelineView({ graph, stretches, startedAt, endedAt }: RunStory): Html {
  const lengthMs = Math.max(1, endedAt - startedAt);
  const x = (at: number): number => NAME_WIDTH + (ROWS_WIDTH * (at - startedAt)) / lengthMs;
  const [width, height] = [NAME_WIDTH + ROWS_WIDTH + 30, graph.length * (ROW + GAP) + AXIS];
  const rows = graph.map(({ name }, index) => {
    const y = index * (ROW + GAP);
    const active = stretches.flatMap(({ from, to, tasks }) => {
      const task = tasks.get(name);
      if (task === undefined || !isActive(task)) return [];
      const opacity = 0.25 + 0.75 * Math.min(1, task.busyMs / (to - from));
      return html`<rect
        class="busy"
        x="${x(from).toFixed(1)}"
        y="${y}"
        width="${Math.max(1, x(to) - x(from)).toFixed(1)}"
        height="${ROW}"
        opacity="${opacity.toFixed(2)}"
      />`;
    });
    return html`<text x="0" y="${y + 12}"><title>${name}</title>${cut(name, NAME_LENGTH)}</text>
      <rect class="row" x="${NAME_WIDTH}" y="${y}" width="${ROWS_WIDTH}" height="${ROW}" rx="3" />
      ${active}`;
  });
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Timeline of the tasks">
      <svg style="min-width: 640px" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="timeline-t">
        <title id="timeline-t">The times at which each task worked</title>
        ${rows} ${timeAxis(lengthMs, (ms) => x(startedAt + ms), height - 6)}
      </svg>
    </div>
    <details>
      <summary>Timeline as a table</summary>
      ${timesTable(
        graph.map(({ name }) => name),
        stretches,
        startedAt,
      )}
    </details>`;
}

function timesTable(names: readonly string[], stretches: RunStory['stretches'], startedAt: number): Html {
  const rows = names.map((name) => {
    const active = stretches.filter(({ tasks }) => {
      const task = tasks.get(name);
      return task !== undefined && isActive(task);
    });
    const [first, last] = [active[0], active.at(-1)];
    if (first === undefined || last === undefined) return { cells: [name, '–', '–', '–', '–'] };
    const busyMs = active.reduce((sum, { tasks }) => sum + (tasks.get(name)?.busyMs ?? 0), 0);
    const done = active.reduce((sum, { tasks }) => sum + (tasks.get(name)?.done ?? 0), 0);
    const span = Math.max(1, last.to - first.from);
    return {
      cells: [
        name,
        duration(first.from - startedAt),
        duration(last.to - startedAt),
        percent(busyMs / span),
        grouped(done),
      ],
    };
  });
  const columns = ['task', 'worked from', 'to', 'busy in that time', 'records'];
  return table(
    'The times at which each task worked',
    columns.map((title, index) => ({ title, isNumber: index > 0 })),
    rows,
  );
}

function isActive({ done, busyMs }: TaskStretch): boolean {
  return done > 0 || busyMs > 0;
}
