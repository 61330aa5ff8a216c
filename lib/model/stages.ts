/**
 * The stages of a graph: what runs after what, as wholes. A *part* is a piece of the graph whose tasks hand records to each
 * other; it starts and ends as a whole. A part with rules starts when the tasks that its rules name have ended.
 *
 * Guarantees: the tasks that a rule names are in earlier stages; what runs however others end comes after all else that can
 * run; each task is in exactly one part, and each part in exactly one stage.
 */
import { MillraceError } from './errors.js';
import type { TaskCounts } from './metrics.js';
import type { RunOutcome } from './ports.js';

/** How the tasks that a rule names have to end: all completed; all ended, in any way; at least one failed. */
export type RuleCondition = 'completed' | 'ended' | 'failed';

/** How a task ended. `skipped`: its rule was not met. */
export type TaskStatus = RunOutcome | 'skipped';

/** How one task ended, as the tasks that run after it see it. */
export interface TaskEnd {
  /** 'completed', 'failed', 'cancelled', 'drained'; or 'skipped' for a task whose own rule was not met. */
  readonly status: TaskStatus;
  /** Counts of the incarnation of the run in which it ended. */
  readonly counts: TaskCounts;
  /** The failure of the run; present if the status is 'failed'. */
  readonly error?: { readonly code: string; readonly message: string };
}

/** A task that runs after others. */
export interface Rule {
  readonly task: string;
  readonly after: readonly string[];
  readonly when: RuleCondition;
}

/** Tasks that start together, because records flow between them. */
export interface PartPlan {
  readonly tasks: readonly string[];
  /** The part starts when all of them are met. */
  readonly rules: readonly Rule[];
}

/** Parts that run at the same time. */
export interface StagePlan {
  readonly parts: readonly PartPlan[];
}

/** The members of a node that stages depend on. */
interface StageNode {
  readonly name: string;
  /** Names of tasks. */
  readonly dependencies: readonly string[];
  readonly after?: readonly string[] | undefined;
  readonly when?: RuleCondition | undefined;
}

/** The stages, in their order. Throws MILLRACE_CYCLE if a task would have to end before it could start. */
export function planStages(nodes: readonly StageNode[]): StagePlan[] {
  if (nodes.every(({ after }) => after === undefined)) {
    return [{ parts: [{ tasks: nodes.map(({ name }) => name), rules: [] }] }];
  }
  const parts = partsOf(nodes);
  const partOf = new Map(parts.flatMap((part) => part.tasks.map((task) => [task, part] as const)));
  const placed = new Set<PartPlan>();
  const stages: StagePlan[] = [];
  while (placed.size < parts.length) {
    const ready = parts.filter(
      (part) =>
        !placed.has(part) &&
        part.rules.every(({ after }) => after.every((task) => placed.has(partOf.get(task) as PartPlan))),
    );
    if (ready.length === 0) throw neverReady(parts.filter((part) => !placed.has(part)));
    const eager = ready.filter(({ rules }) => rules.every(({ when }) => when !== 'ended'));
    const stage = eager.length > 0 ? eager : ready;
    for (const part of stage) placed.add(part);
    stages.push({ parts: stage });
  }
  return stages;
}

/** Why a part does not start, in words for people; undefined if its rules are met. */
export function unmetRule({ rules }: PartPlan, ends: ReadonlyMap<string, TaskEnd>): string | undefined {
  for (const { task, after, when } of rules) {
    const statuses = after.map((name) => [name, ends.get(name)?.status] as const);
    const other = statuses.find(([, status]) => status !== 'completed');
    if (when === 'completed' && other !== undefined) {
      return `'${task}' runs when '${other[0]}' has completed, which ${inWords(other[1])}`;
    }
    if (when === 'failed' && statuses.every(([, status]) => status !== 'failed')) {
      return `'${task}' runs when ${after.map((name) => `'${name}'`).join(' or ')} has failed, and none has`;
    }
  }
  return undefined;
}

function inWords(status: TaskStatus | undefined): string {
  if (status === undefined) return 'did not start';
  return status === 'failed' || status === 'completed' ? `has ${status}` : `was ${status}`;
}

/** The connected pieces of the graph, in the order of their first tasks. */
function partsOf(nodes: readonly StageNode[]): PartPlan[] {
  const leader = new Map(nodes.map(({ name }) => [name, name]));
  const find = (name: string): string => {
    let at = name;
    for (let next = leader.get(at) as string; next !== at; next = leader.get(at) as string) {
      leader.set(at, leader.get(next) as string);
      at = next;
    }
    return at;
  };
  for (const { name, dependencies } of nodes) for (const from of dependencies) leader.set(find(name), find(from));
  const parts = new Map<string, { tasks: string[]; rules: Rule[] }>();
  for (const { name, after, when = 'completed' } of nodes) {
    const part = parts.get(find(name)) ?? { tasks: [], rules: [] };
    parts.set(find(name), part);
    part.tasks.push(name);
    if (after !== undefined) part.rules.push({ task: name, after: [...new Set(after)], when });
  }
  return [...parts.values()];
}

function neverReady(parts: readonly PartPlan[]): MillraceError {
  const waiting = new Set(parts.flatMap(({ tasks }) => tasks));
  const rule = parts.flatMap(({ rules }) => rules).find(({ after }) => after.some((task) => waiting.has(task))) as Rule;
  const first = rule.after.find((task) => waiting.has(task)) ?? '';
  return new MillraceError(
    'MILLRACE_CYCLE',
    `Task '${rule.task}' runs after '${first}', which cannot end before '${rule.task}' has started: records of both meet in one task, or one of them waits for the other. Remove the rule, or separate the two`,
  );
}
