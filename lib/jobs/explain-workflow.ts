/**
 * Explains a workflow before it runs, beside the measures of one of its runs: the critical path, the bounds of memory,
 * and the work that a crash repeats.
 *
 * Guarantees: nothing is run or opened. All answers follow from the plan that a run uses, and from the declarations of
 * the tasks; nothing is guessed from the kind of a task.
 */
import { joinRootOf, type NodePlan } from '../model/graph.js';
import type { PreparedWorkflow } from '../runtime/definition/prepared-workflow.js';
import { ResumePlan } from '../runtime/resume/resume-plan.js';
import { DEFAULT_ALL_LIMIT, DEFAULT_GATHER_LIMIT, DEFAULT_KEYED_CAPACITY } from '../runtime/wiring/wired-inputs.js';
import type { TaskDeclaration } from '../tasks/flow.js';
import {
  explained,
  type AfterCrash,
  type Explanation,
  type PlannedWorkflow,
  type RunMeasures,
  type Unrepeatable,
} from '../observe/report/explanation.js';

/** @param measures the measures of a run of the workflow; undefined if no run was kept. */
export function explainWorkflow(prepared: PreparedWorkflow, measures: RunMeasures | undefined): Explanation {
  return explained(planned(prepared), measures);
}

/** The part of the explanation that follows from the workflow alone. */
export function planned(prepared: PreparedWorkflow): PlannedWorkflow {
  const { plan, declarations } = prepared;
  const resume = new ResumePlan(plan, declarations);
  const tasks = new Map(declarations.map((declaration) => [declaration.name, declaration]));
  const nodes = plan.nodes.map((node) => ({ node, declaration: tasks.get(node.node.name) as TaskDeclaration }));
  return {
    format: 1,
    workflow: prepared.name,
    tasks: plan.nodes.map(({ node }) => ({
      task: node.name,
      from: [...new Set([...node.dependencies, ...(node.after ?? [])])],
    })),
    memory: [
      ...[...plan.roots.keys()].map((root) => ({
        ...{ of: root, what: 'records in flight', most: prepared.window },
        isRoot: true as const,
      })),
      ...nodes.flatMap(({ node, declaration }) => boundsOf(node, declaration)),
    ],
    obstacle: resume.obstacle ?? null,
    afterCrash: nodes.map(({ node, declaration }) => afterCrash(node, declaration, resume)),
    unrepeatable: nodes.flatMap(({ node, declaration }) => unrepeatable(node, declaration, resume)),
  };
}

type Bound = PlannedWorkflow['memory'][number];

function boundsOf({ node, join }: NodePlan, { task, join: options }: TaskDeclaration): Bound[] {
  const { limit, capacity } = (options ?? {}) as { readonly limit?: number; readonly capacity?: number };
  const bound = (what: string, most: number): Bound => ({ of: node.name, what, most });
  const joins: Partial<Record<NodePlan['join'], Bound>> = {
    all: bound('records collected per dependency', limit ?? DEFAULT_ALL_LIMIT),
    gather: bound('children collected per parent', limit ?? DEFAULT_GATHER_LIMIT),
    keyed: bound('records kept per side', capacity ?? DEFAULT_KEYED_CAPACITY),
  };
  const ofJoin = joins[join];
  return [...(ofJoin === undefined ? [] : [ofJoin]), ...(task.bounds ?? []).map(({ what, most }) => bound(what, most))];
}

function afterCrash(plan: NodePlan, { task }: TaskDeclaration, resume: ResumePlan): AfterCrash {
  const { name } = plan.node;
  return {
    task: name,
    how: howAfterCrash(plan, task, resume),
    ...(task.makesCalls === true ? { calls: { isIdempotent: task.isIdempotent ?? null } } : {}),
    ...(task.memo === undefined ? {} : { isRemembered: true as const }),
  };
}

function howAfterCrash(
  { node, outputRoot }: NodePlan,
  task: TaskDeclaration['task'],
  resume: ResumePlan,
): AfterCrash['how'] {
  if (node.bearing === 'source') {
    if (!task.isRepeatable) return 'skips';
    return resume.isReplayed(outputRoot) ? 'computed' : 'continues';
  }
  const { join, task: own } = resume.durability.of(node.name);
  if (resume.startsAnew(node.name)) return 'repeated';
  const found = [join, own].filter((one) => one !== undefined);
  if (found.includes('kept')) return 'kept';
  return found[0] === 'computed' ? 'computed' : 'continues';
}

function unrepeatable({ node }: NodePlan, { task }: TaskDeclaration, resume: ResumePlan): Unrepeatable[] {
  const { name, bearing } = node;
  if (bearing === 'source') {
    if (!task.isRepeatable) return [{ task: name, reason: 'it cannot be read again: what was in flight is lost' }];
    if (task.isTransient === true) return [{ task: name, reason: 'records may be gone once they have settled' }];
    return [];
  }
  if (resume.durability.ofRoot(joinRootOf(name)) === 'repeated') {
    return [{ task: name, reason: 'its join may pair records in another way' }];
  }
  if (bearing === 'boundary') {
    return task.isRepeatable || task.isDeterministic
      ? []
      : [{ task: name, reason: 'its outputs may come in another order, or be others' }];
  }
  return task.makesCalls === true ? [{ task: name, reason: 'a call may have another answer' }] : [];
}
