/**
 * The phases of a graph: the order in which its parts run. A *part* is a set of tasks that edges connect; it starts and
 * ends as a whole. A part with rules starts when the tasks that its rules name have ended.
 *
 * Guarantees: the tasks that a rule names are in earlier phases; parts with the condition `ended` come after all other
 * parts that can run; each task is in exactly one part, and each part in exactly one phase.
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
export interface PhasePlan {
  readonly parts: readonly PartPlan[];
}

/** The members of a node that phases depend on. */
interface PhaseNode {
  readonly name: string;
  /**
   * If this task is the end of a sub-workflow: the tasks of the sub-workflow. A task that runs after this one runs
   * after all of them.
   */
  readonly members?: readonly string[] | undefined;
  /** Names of tasks. */
  readonly dependencies: readonly string[];
  readonly after?: readonly string[] | undefined;
  readonly when?: RuleCondition | undefined;
}

/** The phases, in their order. Throws MILLRACE_CYCLE if a task would have to end before it could start. */
export function planPhases(nodes: readonly PhaseNode[]): PhasePlan[] {
  if (nodes.every(({ after }) => after === undefined)) {
    return [{ parts: [{ tasks: nodes.map(({ name }) => name), rules: [] }] }];
  }
  const parts = partsOf(nodes);
  const partOf = new Map(parts.flatMap((part) => part.tasks.map((task) => [task, part] as const)));
  const membersOf = new Map(nodes.map(({ name, members = [] }) => [name, members]));
  const placed = new Set<PartPlan>();
  const waitsFor = ({ after }: Rule): string | undefined =>
    after.find((task) =>
      [task, ...(membersOf.get(task) ?? [])].some((name) => !placed.has(partOf.get(name) as PartPlan)),
    );
  const phases: PhasePlan[] = [];
  while (placed.size < parts.length) {
    const waiting = parts.filter((part) => !placed.has(part));
    const ready = waiting.filter(({ rules }) => rules.every((rule) => waitsFor(rule) === undefined));
    if (ready.length === 0) {
      const rule = waiting.flatMap(({ rules }) => rules).find((each) => waitsFor(each) !== undefined) as Rule;
      throw neverReady(rule, waitsFor(rule) as string);
    }
    const eager = ready.filter(({ rules }) => rules.every(({ when }) => when !== 'ended'));
    const phase = eager.length > 0 ? eager : ready;
    for (const part of phase) placed.add(part);
    phases.push({ parts: phase });
  }
  return phases;
}

/** The reason why a part does not start, as a clause for people; undefined if its rules are met. */
export function unmetRule(
  { rules }: PartPlan,
  endOf: (task: string) => Pick<TaskEnd, 'status'> | undefined,
): string | undefined {
  for (const { task, after, when } of rules) {
    const statuses = after.map((name) => [name, endOf(name)?.status] as const);
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

/** The statuses that decide the end of several tasks, the most serious first. */
const GRAVEST: readonly TaskStatus[] = ['failed', 'cancelled', 'drained'];

/**
 * The end of a sub-workflow. `own` is the end of its last task. If one of its tasks failed, was cancelled or drained,
 * the sub-workflow ended in the same way. A skipped task inside of it does not count.
 */
export function endOfAll(own: TaskEnd, members: readonly TaskEnd[]): TaskEnd {
  for (const gravest of GRAVEST) {
    const found = [own, ...members].find(({ status }) => status === gravest);
    if (found === undefined) continue;
    const { status, error } = found;
    return { status, counts: own.counts, ...(error && { error }) };
  }
  return own;
}

function inWords(status: TaskStatus | undefined): string {
  if (status === undefined) return 'did not start';
  return status === 'failed' || status === 'completed' ? `has ${status}` : `was ${status}`;
}

/** The connected pieces of the graph, in the order of their first tasks. */
function partsOf(nodes: readonly PhaseNode[]): PartPlan[] {
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

function neverReady({ task }: Rule, first: string): MillraceError {
  return new MillraceError(
    'MILLRACE_CYCLE',
    `Task '${task}' runs after '${first}', which cannot end before '${task}' has started: records of both meet in one task, or one of them waits for the other. Remove the rule, or separate the two`,
  );
}
