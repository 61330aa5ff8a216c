/**
 * The view of a run on a page, live or afterwards: the story of the report, and the state of each edge. Plain data.
 *
 * Guarantees: memory is bounded for a run of any length; the same events result in the same view, whether they are read
 * live or later.
 */
import type { GraphTask, RunEvent } from '../../model/events.js';
import type { TaskProgress } from '../../model/metrics.js';
import { arrange, countsOfWhole, outlineOf } from '../../model/sub-workflows.js';
import { isOptional } from '../../observe/report/graph-view.js';
import { layOut, type Layout, type Place } from '../../observe/report/layout.js';
import { StoryBuilder, type Note, type Reason } from '../../observe/report/run-story.js';
import { historyOf, type RunHistory } from './run-history.js';
import { entry } from '../../text/entry.js';

export interface TaskView {
  readonly name: string;
  readonly kind: string;
  /** The number of sub-workflows around it. */
  readonly depth: number;
  /** For the end of a sub-workflow: the number of its other tasks, and the counts of the whole; otherwise null. */
  readonly whole: WholeView | null;
  /** The place in the graph, in units of its grid. */
  readonly layer: number;
  readonly row: number;
  readonly in: number;
  readonly out: number;
  readonly skipped: number;
  readonly deadLettered: number;
  readonly inFlight: number;
  /** Records whose output was remembered; null if the task has no memo. */
  readonly remembered: number | null;
  readonly queued: number;
  /** Iterations that have ended; null for a task that does not iterate. */
  readonly iterations: number | null;
  /** Records per second: over about the last five seconds, and over the run. */
  readonly perSecond: number;
  readonly averagePerSecond: number;
  /** The shares of the time since the last measurement. */
  readonly busy: number;
  readonly waiting: number;
  readonly blocked: number;
  /** Milliseconds; null before the first record was timed. */
  readonly p50: number | null;
  readonly p95: number | null;
}

/** The counts of a sub-workflow. */
export interface WholeView {
  readonly tasks: number;
  readonly in: number;
  readonly out: number;
  readonly skipped: number;
  readonly deadLettered: number;
  readonly inFlight: number;
}

/** The places and the edges of a graph. */
export interface GraphView {
  readonly layers: number;
  readonly rows: number;
  /** By task, its place, in units of the grid. */
  readonly places: readonly { readonly task: string; readonly layer: number; readonly row: number }[];
  readonly edges: readonly EdgeView[];
}

export interface EdgeView {
  readonly from: string;
  readonly to: string;
  /** The places between the two tasks that the edge passes, from left to right, in units of the grid. */
  readonly way: readonly Place[];
  readonly records: number;
  readonly perSecond: number;
  /** Records in front of the receiving task, as a share of the window of their root, 0 to 1. */
  readonly fill: number;
  /**
   * flowing: records move. starved: the receiver waits for records. blocked: the sender cannot emit its records. idle:
   * no record moves. rule: the receiver runs after the sender, and no records flow.
   */
  readonly state: 'flowing' | 'starved' | 'blocked' | 'idle' | 'rule';
  /** Whether the receiver also emits records for which this edge has none. */
  readonly isOptional: boolean;
}

export interface RunView {
  readonly runId: string;
  readonly workflow: string;
  readonly startedAt: number;
  /** The time of the last event. */
  readonly seenAt: number;
  readonly incarnations: number;
  readonly outcome: string | null;
  readonly layers: number;
  readonly rows: number;
  /** A sub-workflow stands in front of its tasks. */
  readonly tasks: readonly TaskView[];
  readonly edges: readonly EdgeView[];
  /** The graph with one box per sub-workflow; null without sub-workflows. */
  readonly outline: GraphView | null;
  readonly bottleneck: { readonly task: string; readonly load: number } | null;
  /** The share of the input that was read, 0 to 1; null if no source knows it. */
  readonly readShare: number | null;
  readonly born: number;
  readonly settled: number;
  readonly inFlight: number;
  /** True if in = out + skipped + dead letters + in flight, for each task that keeps the lineages of its input. */
  readonly isConserved: boolean;
  readonly deadLetters: readonly Reason[];
  readonly notes: readonly Note[];
  readonly config: unknown;
}

type Progress = Extract<RunEvent, { type: 'progress' }>;
type Started = Extract<RunEvent, { type: 'run-started' }>;
type Edge = Progress['edges'][number];

/** A state in which a task spends more than this share of the time determines the state of an edge. */
const MOSTLY = 0.5;
const MOST_NOTES = 50;
/** The shortest time over which the rate of an edge is measured: measurements may follow each other at once. */
const SHORTEST_MS = 500;

export class RunViewBuilder {
  private readonly story = new StoryBuilder();
  private started: Started | undefined;
  private last: Progress | undefined;
  /** The measurement since which the rates of edges are measured. */
  private before: Progress | undefined;
  /** The next `before`, once `SHORTEST_MS` have passed since it. */
  private nextBefore: Progress | undefined;
  /** The layout of the graph, which is made once per incarnation. */
  private layout: Layout | undefined;

  record(event: RunEvent): void {
    this.story.record(event);
    if (event.type === 'run-started') {
      this.started = event;
      this.last = this.before = this.nextBefore = this.layout = undefined;
    } else if (event.type === 'progress') {
      this.nextBefore ??= event;
      if (event.elapsedMs - this.nextBefore.elapsedMs >= SHORTEST_MS) {
        this.before = this.nextBefore;
        this.nextBefore = event;
      }
      this.last = event;
    }
  }

  /** Undefined before the run has started. */
  build(): RunView | undefined {
    const story = this.story.build();
    const { started, last } = this;
    if (story === undefined || started === undefined) return undefined;
    const { places, layers, rows, way } = (this.layout ??= layOut(story.graph));
    const isOver = story.summary !== undefined;
    const graph = new Map(story.graph.map((task) => [task.name, task]));
    const tasks = arrange(story.graph).flatMap(({ name, depth }): TaskView[] => {
      const task = graph.get(name);
      if (task === undefined) return [];
      const { layer, row } = places.get(name) ?? { layer: 0, row: 0 };
      const whole = wholeOf(task, story.tasks);
      const figures = { ...figuresOf(entry(story.tasks, name)), perSecond: isOver ? 0 : this.rateOf(name) };
      return [{ name, kind: task.kind, depth, whole, layer, row, ...figures }];
    });
    const edgeOf = this.edges(isOver);
    const rule = { records: 0, perSecond: 0, fill: 0, state: 'rule', isOptional: false } as const;
    const edges = story.graph.flatMap(({ name, dependencies, optional = [], after = [] }) => [
      ...dependencies.map((from) => ({
        ...edgeOf(from, name),
        way: way(from, name),
        isOptional: isOptional(optional, from),
      })),
      ...after.map((from) => ({ from, to: name, way: way(from, name), ...rule })),
    ]);
    const roots = Object.values(last?.roots ?? {});
    const shares = Object.values(story.tasks).flatMap(({ readShare }) => readShare ?? []);
    const sum = (pick: (root: (typeof roots)[number]) => number): number =>
      roots.reduce((all, root) => all + pick(root), 0);
    const bottleneck = story.summary?.bottleneck ?? last?.bottleneck ?? null;
    return {
      runId: story.runId,
      workflow: story.workflow,
      startedAt: story.startedAt,
      seenAt: story.endedAt,
      incarnations: story.incarnations,
      outcome: story.summary?.outcome ?? null,
      layers,
      rows,
      tasks,
      edges,
      outline: outlineView(story.graph, edges),
      bottleneck: bottleneck === null ? null : { task: bottleneck.task, load: bottleneck.load },
      readShare: shares.length === 0 ? null : Math.min(...shares),
      born: sum(({ born }) => born),
      settled: sum(({ settled }) => settled),
      inFlight: sum(({ inFlight }) => inFlight),
      isConserved: story.graph.every(({ name, bearing }) => {
        const task = entry(story.tasks, name);
        if (task === undefined || bearing === 'boundary') return true;
        return task.in === task.out + task.skipped + task.deadLettered + task.inFlight;
      }),
      deadLetters: story.deadLetters,
      notes: story.notes.slice(-MOST_NOTES),
      config: story.config,
    };
  }

  /** The run over time; undefined before it has started. */
  history(): RunHistory | undefined {
    const story = this.story.build();
    return story === undefined ? undefined : historyOf(story);
  }

  /**
   * Records per second of a task over the same time as those of edges: the rate in the events remembers the first
   * records of a run, which come at once, for long.
   */
  private rateOf(name: string): number {
    const { last, before } = this;
    const seconds = last === undefined || before === undefined ? 0 : (last.elapsedMs - before.elapsedMs) / 1000;
    const [now, then] = [doneOf(entry(last?.tasks ?? {}, name)), doneOf(entry(before?.tasks ?? {}, name))];
    return seconds <= 0 ? 0 : Math.max(0, (now - then) / seconds);
  }

  private edges(isOver: boolean): (from: string, to: string) => Omit<EdgeView, 'isOptional' | 'way'> {
    const { last, before } = this;
    const [lastOf, beforeOf] = [byEnds(last?.edges ?? []), byEnds(before?.edges ?? [])];
    const seconds = last === undefined || before === undefined ? 0 : (last.elapsedMs - before.elapsedMs) / 1000;
    const rootOf = new Map(this.started?.graph.map(({ name, outputRoot }) => [name, outputRoot]));
    return (from, to) => {
      const [now, then] = [lastOf(from, to), beforeOf(from, to)];
      const moved = (now?.records ?? 0) - (then?.records ?? 0);
      const perSecond = isOver || seconds <= 0 ? 0 : moved / seconds;
      const [sender, receiver] = [entry(last?.tasks ?? {}, from), entry(last?.tasks ?? {}, to)];
      const window = entry(last?.roots ?? {}, rootOf.get(from) ?? '')?.window ?? this.started?.window ?? 1;
      const waiting = (receiver?.held.queued ?? 0) + (now?.waiting ?? 0);
      const fill = isOver ? 0 : Math.min(1, waiting / window);
      const state = isOver ? 'idle' : stateOf(sender, receiver, perSecond);
      return { from, to, records: now?.records ?? 0, perSecond, fill, state };
    };
  }
}

/** The counts of all edges between two tasks. A task may read several outputs of another one. */
type Between = Pick<Edge, 'records' | 'waiting'>;

/** Finds the edges between two tasks. A graph may have thousands of them. */
function byEnds(edges: readonly Edge[]): (from: string, to: string) => Between | undefined {
  const known = new Map<string, Between>();
  const keyOf = (from: string, to: string): string => `${from.length} ${from}${to}`;
  for (const edge of edges) {
    const key = keyOf(edge.from, edge.to);
    const { records = 0, waiting = 0 } = known.get(key) ?? {};
    known.set(key, { records: records + edge.records, waiting: waiting + edge.waiting });
  }
  return (from, to) => known.get(keyOf(from, to));
}

/** The counts of the sub-workflow of which the task is the end. */
function wholeOf(task: GraphTask, tasks: Readonly<Record<string, TaskProgress>>): WholeView | null {
  const { members } = task;
  if (members === undefined) return null;
  const counts = countsOfWhole(task, ['skipped', 'deadLettered', 'inFlight'], (name) => entry(tasks, name));
  return { tasks: members.length, ...counts };
}

function outlineView(graph: readonly GraphTask[], edges: readonly EdgeView[]): GraphView | null {
  const outline = outlineOf(graph);
  if (outline === undefined) return null;
  const { places, layers, rows, way } = layOut(outline.tasks);
  const merged = new Map<string, EdgeView>();
  for (const edge of edges) {
    const [from, to] = [outline.placeOf(edge.from), outline.placeOf(edge.to)];
    if (from === to) continue;
    const key = JSON.stringify([from, to]);
    const known = merged.get(key);
    merged.set(key, known === undefined ? { ...edge, from, to, way: way(from, to) } : mergedEdge(known, edge));
  }
  return {
    layers,
    rows,
    places: [...places].map(([task, place]) => ({ task, ...place })),
    edges: [...merged.values()],
  };
}

/** The states of edges, most important first: a merged edge has the first state that one of its parts has. */
const STATES: readonly EdgeView['state'][] = ['blocked', 'flowing', 'starved', 'idle', 'rule'];

function mergedEdge(one: EdgeView, other: EdgeView): EdgeView {
  return {
    ...one,
    records: one.records + other.records,
    perSecond: one.perSecond + other.perSecond,
    fill: Math.max(one.fill, other.fill),
    state: STATES.find((state) => state === one.state || state === other.state) ?? one.state,
    isOptional: one.isOptional && other.isOptional,
  };
}

function stateOf(
  sender: TaskProgress | undefined,
  receiver: TaskProgress | undefined,
  perSecond: number,
): EdgeView['state'] {
  if (sender !== undefined && sender.shares.blocked > MOSTLY) return 'blocked';
  if (receiver !== undefined && receiver.shares.waiting > MOSTLY) return perSecond > 0 ? 'starved' : 'idle';
  return perSecond > 0 ? 'flowing' : 'idle';
}

/** The records that a task is done with: those of a source are its output. */
function doneOf(task: TaskProgress | undefined): number {
  return task === undefined ? 0 : Math.max(task.out, task.in - task.inFlight);
}

function figuresOf(
  task: TaskProgress | undefined,
): Omit<TaskView, 'name' | 'kind' | 'depth' | 'whole' | 'layer' | 'row' | 'perSecond'> {
  if (task === undefined) {
    const nothing = {
      in: 0,
      out: 0,
      skipped: 0,
      deadLettered: 0,
      inFlight: 0,
      remembered: null,
      queued: 0,
      iterations: null,
    };
    return { ...nothing, averagePerSecond: 0, busy: 0, waiting: 0, blocked: 0, p50: null, p95: null };
  }
  const { service } = task.latencyMs;
  return {
    ...{ in: task.in, out: task.out, skipped: task.skipped, deadLettered: task.deadLettered, inFlight: task.inFlight },
    remembered: task.memo?.hits ?? null,
    queued: task.held.queued,
    iterations: task.iterations ?? null,
    averagePerSecond: task.perSecond.average,
    ...task.shares,
    p50: service.count === 0 ? null : service.p50,
    p95: service.count === 0 ? null : service.p95,
  };
}
