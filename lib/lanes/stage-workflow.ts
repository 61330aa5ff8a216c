/**
 * A stage as a workflow of its own: its tasks, a source for each topic that it reads, and a sink for each topic that it
 * writes.
 *
 * Guarantees: the tasks are those of the definition, under their own names. The definition is built again for each
 * lane, because a task object belongs to one run.
 */
import { connectorSink, connectorSource, type Sink, type Source } from '../connect/index.js';
import type { NewRecord } from '../connectors/kafka/port.js';
import { checkKey } from '../execution/partition-key.js';
import { MillraceError } from '../model/errors.js';
import type { PreparedWorkflow } from '../runtime/definition/prepared-workflow.js';
import type { JoinOptions, TaskDeclaration } from '../tasks/flow.js';
import { statefulTask } from '../tasks/stateful-task.js';
import type { Timing } from '../tasks/task.js';
import type { TaskEnd } from '../model/phases.js';
import type { Edge, Stage } from './stages.js';

/** The members of a workflow with its configuration that lanes use. */
export type SpreadWorkflow = Pick<
  PreparedWorkflow,
  'name' | 'config' | 'startedAt' | 'plan' | 'declarations' | 'derive'
>;

/** The key of a record that crosses an edge. Throws the errors of `checkKey`, as the task behind the edge does. */
export type EdgeKey = (record: unknown) => unknown;

/** How the task behind an edge reads its records. */
export interface EdgeReading {
  /** Undefined if the topic has one partition. */
  readonly key: EdgeKey | undefined;
  /** Undefined if the topic carries no time. */
  readonly timing: Timing | undefined;
}

/** Makes the sources and sinks that stand for the topics. */
export interface StageEnds {
  source(edge: Edge): Source<unknown>;
  sink(edge: Edge, reading: EdgeReading): Sink<unknown, NewRecord>;
  /** The transaction of the lane, for sinks that write within it. */
  readonly transaction: object;
  /** How the tasks have ended after which this task runs. `prefix` is that of its declaration. */
  readonly startOf: (task: string, prefix: string | undefined) => Readonly<Record<string, TaskEnd>>;
}

/**
 * Prepares the run of one lane. Throws the errors of the definition, and MILLRACE_SPREAD for a task whose outputs
 * cannot be repeated.
 *
 * @param startedAt when the run was started, milliseconds since 1970.
 */
export function prepareStage(
  workflow: SpreadWorkflow,
  stage: Stage,
  ends: StageEnds,
  startedAt: number,
): PreparedWorkflow {
  const tasks = (all: readonly TaskDeclaration[]): TaskDeclaration[] => declarationsIn(stage, all, ends);
  const prepared = workflow.derive(`${workflow.name} (${stage.name})`, tasks, { startedAt });
  const repeated = prepared.durability.find(({ durability }) => durability === 'repeated');
  if (repeated === undefined) return prepared;
  throw new MillraceError(
    'MILLRACE_SPREAD',
    `The workflow cannot be spread over several processes: the outputs of '${repeated.task}' may differ when another worker continues it. Use a task whose state is kept, without \`durable: false\``,
  );
}

function declarationsIn(stage: Stage, all: readonly TaskDeclaration[], ends: StageEnds): TaskDeclaration[] {
  const declared = new Map(all.map((declaration) => [declaration.name, declaration]));
  const readers = stage.inputs.map((edge) => ({
    name: edge.reader,
    dependencies: [],
    task: connectorSource(ends.source(edge)),
  }));
  const numbers = stage.isNumbered ? numbering(stage) : undefined;
  const tasks = stage.tasks.map((name) => {
    const own = declared.get(name) as TaskDeclaration;
    own.task.enlist?.(ends.transaction);
    if (name !== stage.name) return own;
    return stage.inputs.length > 0 ? first(own, numbers?.name, stage.inputs) : started(own, ends.startOf);
  });
  const writers = stage.outputs.map((edge) => ({
    name: edge.writer,
    dependencies: edge.labels,
    ...(edge.join === undefined ? {} : { join: edge.join }),
    prefix: declared.get(edge.to)?.prefix,
    task: connectorSink(ends.sink(edge, { key: keyOf(edge, declared), timing: timingOf(edge, declared) })),
  }));
  return [...readers, ...(numbers === undefined ? [] : [numbers]), ...tasks, ...writers];
}

/**
 * The offset of a record in a topic is its number in one partition, and an expansion needs numbers of a root. A boundary
 * whose state is kept numbers its outputs in that way, and keeps each of them until it has settled.
 */
function numbering({ name, tasks, inputs }: Stage): TaskDeclaration {
  const [{ reader }] = inputs as readonly [Edge];
  let own = `${name} (numbered)`;
  while (tasks.includes(own)) own = `${own}'`;
  const task = statefulTask<unknown, null, unknown>({ init: () => null, step: (state, record) => [state, record] });
  return { name: own, dependencies: [reader], task };
}

/** The first task of a stage, behind the topics. The writer of a topic may have joined the records already. */
function first(
  { name, join, prefix, task }: TaskDeclaration,
  numbered: string | undefined,
  inputs: readonly Edge[],
): TaskDeclaration {
  const isJoined = inputs.some(({ dependency }) => dependency === undefined);
  const dependencies = numbered === undefined ? inputs.map(({ reader }) => reader) : [numbered];
  return { name, dependencies, ...(join === undefined || isJoined ? {} : { join }), prefix, task };
}

/** A task as the first one of a run in which the tasks that its rule names are not. */
export function started(own: TaskDeclaration, startOf: StageEnds['startOf']): TaskDeclaration {
  const { after, when: _, ...rest } = own;
  if (after === undefined) return own;
  // A source is read. Any other task gets one record.
  return own.task.bearing === 'source' ? rest : { ...rest, startsWith: startOf(own.name, own.prefix) };
}

function keyOf(edge: Edge, declared: ReadonlyMap<string, TaskDeclaration>): EdgeKey | undefined {
  if (!edge.isKeyed) return undefined;
  const { join, task } = declared.get(edge.to) as TaskDeclaration;
  if (isKeyedJoin(join) && edge.dependency !== undefined) {
    const on = join.on[edge.dependency] as EdgeKey;
    return (record) => checkKey(on(record), 'on', edge.to);
  }
  const { key } = task.partitioning as { readonly key: EdgeKey };
  return (record) => checkKey(key(record), 'key', edge.to);
}

function timingOf({ isTimed, to }: Edge, declared: ReadonlyMap<string, TaskDeclaration>): Timing | undefined {
  return isTimed ? declared.get(to)?.task.timing : undefined;
}

function isKeyedJoin(join: JoinOptions | undefined): join is Extract<JoinOptions, { readonly join: 'keyed' }> {
  return join?.join === 'keyed';
}
