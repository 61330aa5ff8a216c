/** The graph of a run as events carry it: enough to draw it in another process. */
import type { GraphTask } from '../../model/events.js';
import type { GraphPlan } from '../../model/graph.js';
import type { TaskDeclaration } from '../../tasks/flow.js';

export function graphOfRun(plan: GraphPlan, declarations: readonly TaskDeclaration[]): GraphTask[] {
  const tasks = new Map(declarations.map(({ name, task }) => [name, task]));
  return plan.nodes.map(({ node, join, inputs, inputRoot, outputRoot }) => ({
    name: node.name,
    kind: tasks.get(node.name)?.kind ?? 'custom',
    dependencies: [...new Set(node.dependencies)],
    ...(inputs.every(({ output }) => output === undefined) ? {} : { inputs: inputs.map(({ label }) => label) }),
    ...(node.optional === undefined ? {} : { optional: node.optional }),
    ...(node.after === undefined ? {} : { after: node.after, when: node.when ?? 'completed' }),
    join,
    bearing: node.bearing,
    ...(inputRoot === undefined ? {} : { inputRoot }),
    outputRoot,
    ...(tasks.get(node.name)?.callsUpstream === true ? { callsUpstream: true } : {}),
    ...datasetOf(tasks.get(node.name)),
    ...(node.members === undefined ? {} : { members: node.members }),
  }));
}

function datasetOf(task: TaskDeclaration['task'] | undefined): Pick<GraphTask, 'dataset'> {
  const dataset = task?.dataset;
  return dataset === undefined ? {} : { dataset };
}
