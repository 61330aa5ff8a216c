/**
 * Chooses the tasks that a report shows one by one. A page with thousands of boxes and rows takes seconds to open, and
 * no reader needs all of them.
 *
 * Guarantees: a graph of up to a thousand tasks is shown as a whole; of a larger one, the bottleneck, the tasks that
 * have failures, and the busiest tasks are shown, in the order of the graph.
 */
import type { GraphTask } from '../../model/events.js';
import { entry } from '../../text/entry.js';
import { grouped } from '../../text/printable.js';
import { html, type Html } from './html.js';
import { percent } from './in-words.js';
import { layOut } from './layout.js';
import type { RunStory } from './run-story.js';
import { table } from './table.js';

/** The largest graph that is shown as a whole. */
const MOST_DRAWN = 1000;
/** The tasks of a larger graph that are shown. */
const SHOWN = 300;
/** Names of tasks that a row of layers shows. */
const NAMES = 3;

/** @param busy per task, the share of the run in which it was busy, 0 to 1. */
export function shownTasks(
  { graph, tasks, summary }: RunStory,
  busy: ReadonlyMap<string, number>,
): readonly GraphTask[] {
  if (graph.length <= MOST_DRAWN) return graph;
  const interest = ({ name }: GraphTask): number => {
    if (name === summary?.bottleneck?.task) return 3;
    return ((entry(tasks, name)?.failed ?? 0) > 0 ? 1 : 0) + (busy.get(name) ?? 0);
  };
  const chosen = new Set([...graph].sort((a, b) => interest(b) - interest(a)).slice(0, SHOWN));
  return graph.filter((task) => chosen.has(task));
}

/** One row per layer of the graph, in place of the picture. */
export function layersView({ graph, tasks }: RunStory, busy: ReadonlyMap<string, number>): Html {
  const { places } = layOut(graph);
  const layers: GraphTask[][] = [];
  for (const task of graph) (layers[places.get(task.name)?.layer ?? 0] ??= []).push(task);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const rows = layers.map((members, layer) => {
    const names = members.slice(0, NAMES).map(({ name }) => name);
    const busiest = members.reduce((most, { name }) => Math.max(most, busy.get(name) ?? 0), 0);
    return {
      cells: [
        String(layer + 1),
        grouped(members.length),
        [...names, ...(members.length > NAMES ? ['…'] : [])].join(', '),
        grouped(sum(members.map(({ dependencies }) => dependencies.length))),
        grouped(sum(members.map(({ name }) => entry(tasks, name)?.out ?? 0))),
        grouped(sum(members.map(({ name }) => entry(tasks, name)?.deadLettered ?? 0))),
        percent(busiest),
      ],
    };
  });
  const titles = ['layer', 'tasks', 'names', 'edges in', 'out', 'given up', 'busiest'];
  const columns = titles.map((title) => ({ title, isNumber: title !== 'names' }));
  return html`<p>${grouped(graph.length)} tasks are too many to draw. The layer of a task is the longest path to it.</p>
    ${table('The layers of the graph', columns, rows)}`;
}
