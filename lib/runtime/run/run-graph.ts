/** The graph of a run as events carry it: enough to draw it in another process. */
import type { GraphTask } from '../../model/events.js';
import type { GraphNode, GraphPlan, InputPlan } from '../../model/graph.js';
import type { TaskDeclaration } from '../../tasks/flow.js';

export function graphOfRun(plan: GraphPlan, declarations: readonly TaskDeclaration[]): GraphTask[] {
  const tasks = new Map(declarations.map(({ name, task }) => [name, task]));
  return plan.nodes.map(({ node, join, inputs, inputRoot, outputRoot }) => ({
    name: node.name,
    kind: tasks.get(node.name)?.kind ?? 'custom',
    ...inputsOf(node, inputs),
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

/** A task that reads two outputs of another one depends on it once. */
function inputsOf(
  { dependencies }: GraphNode,
  inputs: readonly InputPlan[],
): Pick<GraphTask, 'dependencies' | 'inputs'> {
  if (inputs.every(({ output }) => output === undefined)) return { dependencies: dependencies.slice() };
  return { dependencies: [...new Set(dependencies)], inputs: inputs.map(({ label }) => label) };
}

function datasetOf(task: TaskDeclaration['task'] | undefined): Pick<GraphTask, 'dataset'> {
  const dataset = task?.dataset;
  return dataset === undefined ? {} : { dataset };
}
