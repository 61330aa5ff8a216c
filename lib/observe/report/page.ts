/**
 * The report of a run as one HTML file.
 *
 * Guarantees: the file loads nothing and runs no script (its content security policy forbids both); it opens from disk;
 * the facts in every picture are also given as text.
 */
import type { GraphTask } from '../../model/events.js';
import { arrange, countsOfWhole, outlineOf } from '../../model/sub-workflows.js';
import { counted, grouped } from '../../text/printable.js';
import { recordName } from '../../model/lineage-id.js';
import type { TaskProgress } from '../../model/metrics.js';
import { chart, type Series } from './chart.js';
import type { Explanation } from './explanation.js';
import { explanationView } from './explanation-view.js';
import { graphView, type GraphView, type ShownCounts } from './graph-view.js';
import { html, Html } from './html.js';
import { duration, figure, mebibytes, moment, percent } from './in-words.js';
import type { ResourceSample, RunStory, Stretch } from './run-story.js';
import { layersView, shownTasks } from './shown-tasks.js';
import { STYLE } from './style.js';
import { table } from './table.js';
import { timelineView } from './timeline-view.js';
import { entry, setEntry } from '../../text/entry.js';

/** The most lines in a chart: the number of colours. */
const MOST_LINES = 5;

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Html;
}

/** @param explanation the explanation of the run; undefined if its plan was not kept. */
export function page(story: RunStory, explanation?: Explanation): string {
  const busy = busyShares(story);
  const shown = shownTasks(story, busy);
  const sections = [
    ...graphSections(story, busy, shown),
    ...timeSections(story, shown),
    { id: 'dead-letters', title: 'Dead letters', body: deadLetters(story) },
    { id: 'slowest', title: 'Slowest records', body: slowest(story) },
    { id: 'notes', title: 'What happened', body: notes(story) },
    ...(explanation === undefined
      ? []
      : [{ id: 'explanation', title: 'Plan and measures', body: explanationView(explanation) }]),
    { id: 'config', title: 'Configuration', body: config(story) },
  ];
  return `<!doctype html>\n${
    html`<html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        />
        <title>${story.workflow}, run ${story.runId}</title>
        <style>
          ${new Html(STYLE)}
        </style>
      </head>
      <body>
        <a class="skip" href="#main">To the report</a>
        ${head(story, sections)}
        <main id="main">
          ${sections.map(
            ({ id, title, body }) =>
              html`<section id="${id}" aria-labelledby="${id}-title">
                <h2 id="${id}-title">${title}</h2>
                ${body}
              </section>`,
          )}
        </main>
        <footer>Made by millrace from the events of the run. Times are in UTC.</footer>
      </body>
    </html>`.text
  }\n`;
}

function head(story: RunStory, sections: readonly Section[]): Html {
  const { workflow, description, runId, summary, startedAt, endedAt, incarnations, tasks } = story;
  const outcome = summary?.outcome ?? 'not ended: the recording stops before the end of the run';
  const read = story.graph.filter(({ bearing }) => bearing === 'source').map(({ name }) => entry(tasks, name)?.in ?? 0);
  const bottleneck = summary?.bottleneck;
  // The counts start again at zero in each incarnation.
  const suffix = incarnations > 1 ? ' in the last incarnation' : '';
  const facts: readonly (readonly [string, string])[] = [
    ['started', moment(startedAt)],
    ['took', duration(endedAt - startedAt)],
    [`records read${suffix}`, grouped(sum(read))],
    [`skipped${suffix}`, grouped(sum(Object.values(tasks).map(({ skipped }) => skipped)))],
    [`dead letters${suffix}`, grouped(sum(Object.values(tasks).map(({ deadLettered }) => deadLettered)))],
    ...(bottleneck === undefined
      ? []
      : [['bottleneck', `${bottleneck.task}, ${percent(bottleneck.load)} of its capacity in use`] as const]),
    ...(summary?.resources === undefined ? [] : [['peak memory', mebibytes(summary.resources.rssBytes)] as const]),
    ...(incarnations > 1 ? [['incarnations', String(incarnations)] as const] : []),
  ];
  const error = summary?.error;
  return html`<header>
    <h1>${workflow}</h1>
    <p class="quiet">Run ${runId}${description === '' ? '' : ` · ${description}`}</p>
    <p>
      <span class="outcome ${summary?.outcome ?? ''}">${outcome}</span>
      ${error === undefined ? '' : `${error.code}: ${error.message}`}
    </p>
    <dl class="facts">
      ${facts.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
    <nav aria-label="Parts of the report">
      <ul>
        ${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}
      </ul>
    </nav>
  </header>`;
}

/** Per task, the share of the run in which it was busy, 0 to 1. */
function busyShares({ graph, stretches, startedAt, endedAt }: RunStory): ReadonlyMap<string, number> {
  const lengthMs = Math.max(1, endedAt - startedAt);
  return new Map(
    graph.map(({ name }) => [
      name,
      Math.min(1, sum(stretches.map((one) => one.tasks.get(name)?.busyMs ?? 0)) / lengthMs),
    ]),
  );
}

function graphSections(story: RunStory, busy: ReadonlyMap<string, number>, shown: RunStory['graph']): Section[] {
  const { graph, tasks, summary } = story;
  const isWhole = shown.length === graph.length;
  const bottleneck = summary?.bottleneck?.task;
  const titles = [
    'task',
    'kind',
    'depends on',
    'in',
    'out',
    'skipped',
    'given up',
    'per second',
    'p50 ms',
    'p95 ms',
    'max ms',
    'busy',
  ];
  const isRemembering = Object.values(tasks).some(({ memo }) => memo !== undefined);
  const columns = [...titles, ...(isRemembering ? ['remembered'] : [])].map((title, index) => ({
    title,
    isNumber: index > 2,
  }));
  const arranged = arrange(shown);
  const rowIds = new Map(arranged.map(({ name }, index) => [name, `task-${index}`]));
  const byName = new Map(shown.map((task) => [task.name, task]));
  const rows = arranged.flatMap(({ name, depth }) => {
    const task = byName.get(name);
    if (task === undefined) return [];
    const { kind, dependencies, inputs = dependencies, members } = task;
    return {
      id: rowIds.get(name) ?? '',
      isHot: name === bottleneck,
      depth,
      cells: [
        name,
        members === undefined ? kind : `${kind} of ${members.length} tasks`,
        inputs.join(', ') || '–',
        ...figuresOf(entry(tasks, name), isWhole ? wholeCounts(task, tasks) : undefined),
        percent(busyOf(task, busy)),
        ...(isRemembering ? [rememberedBy(entry(tasks, name))] : []),
      ],
    };
  });
  return [
    {
      id: 'graph',
      title: 'Graph',
      body: isWhole ? graphs({ graph, tasks, bottleneck, busy, rowIds }) : layersView(story, busy),
    },
    {
      id: 'tasks',
      title: 'Tasks',
      body: html`${isWhole ? '' : partly(story, shown)}${table('What went through each task', columns, rows)}`,
    },
  ];
}

/** The graph, in which each sub-workflow is one box, and below it the graph of each sub-workflow. */
function graphs(view: GraphView): Html {
  const outline = outlineOf(view.graph);
  if (outline === undefined) return graphView(view);
  const { graph } = view;
  const tasks = Object.assign(Object.create(null) as Record<string, ShownCounts>, view.tasks);
  const busy = new Map(view.busy);
  for (const task of outline.tasks) {
    const counts = wholeCounts(task, tasks);
    if (counts !== undefined) setEntry(tasks, task.name, counts);
    busy.set(task.name, busyOf(task, view.busy));
  }
  const bottleneck = view.bottleneck === undefined ? undefined : outline.placeOf(view.bottleneck);
  const inner = outline.tasks.flatMap(({ name, members }) => {
    if (members === undefined) return [];
    const own = new Set([...members, name]);
    const within = graph
      .filter((task) => own.has(task.name))
      .map(({ after, ...task }) => ({
        ...task,
        dependencies: task.dependencies.filter((from) => own.has(from)),
        ...(after && { after: after.filter((from) => own.has(from)) }),
      }));
    return html`<details>
      <summary>${name}: ${counted(members.length, 'task')}</summary>
      ${graphView({ ...view, graph: within })}
    </details>`;
  });
  return html`${graphView({ ...view, graph: outline.tasks, tasks, busy, bottleneck })}${inner}`;
}

/** The counts of a sub-workflow as a whole; undefined for any other task, and before anything was measured. */
function wholeCounts(task: GraphTask, tasks: GraphView['tasks']): ShownCounts | undefined {
  if (task.members === undefined || entry(tasks, task.name) === undefined) return undefined;
  return countsOfWhole(task, ['skipped', 'deadLettered'], (name) => entry(tasks, name));
}

/** A sub-workflow is as busy as the busiest of its tasks. */
function busyOf({ name, members = [] }: GraphTask, busy: ReadonlyMap<string, number>): number {
  return Math.max(...[name, ...members].map((task) => busy.get(task) ?? 0));
}

function partly({ graph }: RunStory, shown: RunStory['graph']): Html {
  return html`<p>
    Shown are ${grouped(shown.length)} of ${grouped(graph.length)} tasks: the bottleneck, those with failures, and the
    busiest. The summary of the run has all.
  </p>`;
}

/** @param whole the counts of the sub-workflow of which the task is the end. */
function figuresOf(task: TaskProgress | undefined, whole: ShownCounts | undefined): string[] {
  if (task === undefined) return Array.from({ length: 8 }, () => '–');
  const { service } = task.latencyMs;
  const counts = whole ?? task;
  return [
    ...[counts.in, counts.out, counts.skipped, counts.deadLettered].map(grouped),
    ...[task.perSecond.average, service.p50, service.p95, service.max].map(figure),
  ];
}

/** Outputs that were remembered, of all that were looked up. */
function rememberedBy(task: TaskProgress | undefined): string {
  if (task?.memo === undefined) return '–';
  const { hits, misses } = task.memo;
  return `${grouped(hits)} of ${grouped(hits + misses)}`;
}

function timeSections(story: RunStory, shown: RunStory['graph']): Section[] {
  const { graph, stretches, resources, startedAt, endedAt } = story;
  if (stretches.length === 0) return [];
  const lengthMs = endedAt - startedAt;
  const over = (name: string, valueOf: (stretch: Stretch) => number | undefined): Series => ({
    name,
    points: stretches.map((stretch) => [stretch.to - startedAt, valueOf(stretch)] as const),
  });
  const rateOf = (names: readonly string[]) => (stretch: Stretch) =>
    (sum(names.map((name) => stretch.tasks.get(name)?.done ?? 0)) * 1000) / Math.max(1, stretch.to - stretch.from);
  const depended = new Set(graph.flatMap(({ dependencies }) => dependencies));
  const sources = graph.filter(({ bearing }) => bearing === 'source').map(({ name }) => name);
  const leaves = graph.filter(({ name }) => !depended.has(name)).map(({ name }) => name);
  const throughput = [
    over('read by sources', rateOf(sources)),
    over('finished at the end of the graph', rateOf(leaves)),
  ];
  const slow = graph
    .map(({ name }) => ({ name, p95: entry(story.tasks, name)?.latencyMs.service.p95 ?? 0 }))
    .sort((a, b) => b.p95 - a.p95)
    .slice(0, MOST_LINES);
  const latency = slow.map(({ name }) => over(name, ({ tasks }) => tasks.get(name)?.p95));
  const ofProcess = (name: string, valueOf: (sample: ResourceSample) => number): Series => ({
    name,
    points: resources.map((sample) => [sample.at - startedAt, valueOf(sample)] as const),
  });
  const memory = [
    ofProcess('resident', ({ rssBytes }) => rssBytes / 2 ** 20),
    ofProcess('heap in use', ({ heapUsedBytes }) => heapUsedBytes / 2 ** 20),
  ];
  const lines = (id: string, title: string, unit: string, series: readonly Series[]): Html =>
    chart({ id, title, unit, lengthMs, series });
  return [
    { id: 'timeline', title: 'Timeline', body: timelineView({ ...story, graph: shown }) },
    {
      id: 'throughput',
      title: 'Throughput',
      body: lines('throughput-chart', 'Records per second', 'per second', throughput),
    },
    {
      id: 'latency',
      title: 'Latency',
      body: lines('latency-chart', '95th percentile of the slowest tasks, milliseconds', 'ms', latency),
    },
    ...(resources.length === 0
      ? []
      : [
          { id: 'memory', title: 'Memory', body: lines('memory-chart', 'Memory of the process, MiB', 'MiB', memory) },
          {
            id: 'delay',
            title: 'Event loop',
            body: lines('delay-chart', 'Delay of the event loop, 99th percentile, milliseconds', 'ms', [
              ofProcess('delay', ({ delayMs }) => delayMs),
            ]),
          },
        ]),
  ];
}

function deadLetters({ deadLetters: reasons }: RunStory): Html {
  if (reasons.length === 0) return html`<p>None.</p>`;
  const rows = reasons.map(({ task, code, message, count }) => ({ cells: [task, code, message, grouped(count)] }));
  const columns = [{ title: 'task' }, { title: 'code' }, { title: 'message' }, { title: 'records', isNumber: true }];
  return table('Dead letters by reason', columns, rows);
}

function slowest({ slowest: records }: RunStory): Html {
  if (records.length === 0) return html`<p>No record was timed.</p>`;
  const rows = records.map(({ task, root, partition = 0, lineage, ms, at }) => ({
    cells: [task, recordName({ root, partition, number: lineage }), duration(ms), moment(at)],
  }));
  const columns = [{ title: 'task' }, { title: 'record' }, { title: 'took', isNumber: true }, { title: 'finished at' }];
  return table('The slowest of the records that were timed', columns, rows);
}

function notes({ notes: moments, startedAt }: RunStory): Html {
  if (moments.length === 0) return html`<p>Nothing unusual.</p>`;
  const rows = moments.map(({ at, text }) => ({ cells: [duration(Math.max(0, at - startedAt)), text] }));
  return table('Notices, problems and changes', [{ title: 'after' }, { title: 'event' }], rows);
}

function config({ config: value }: RunStory): Html {
  if (value === undefined || value === null) return html`<p>None.</p>`;
  const lines = JSON.stringify(value, null, 2).split('\n');
  return html`<p class="quiet">Secrets are masked.</p>
    <pre>${lines.map((line) => html`${line}${new Html('\n')}`)}</pre>`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
