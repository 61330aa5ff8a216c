/**
 * The graph as a Mermaid flowchart, for a README or a wiki.
 *
 * Guarantees: it renders for any task names: ids are numbers, and names are quoted, with the escapes of Mermaid.
 */
import type { NodePlan } from '../model/graph.js';
import { arrange } from '../model/sub-workflows.js';
import type { WorkflowPlan } from '../runtime/definition/prepared-workflow.js';
import { printable } from '../text/printable.js';

/** The lines of the flowchart. */
export function graphMermaid(
  name: string,
  { plan, declarations, hops }: Pick<WorkflowPlan, 'plan' | 'declarations' | 'hops'>,
): string[] {
  const kinds = new Map(declarations.map(({ name: task, task: { kind } }) => [task, kind]));
  const ids = new Map(plan.nodes.map(({ node }, index) => [node.name, `t${index}`]));
  const id = (task: string): string => ids.get(task) ?? task;
  const boxOf = ({ node, dependents }: NodePlan): string => {
    const label = `"${escape(node.name)}<br/><i>${escape(kinds.get(node.name) ?? '')}</i>"`;
    const [open, close] =
      node.bearing === 'source' ? ['([', '])'] : dependents.length === 0 ? ['[/', '/]'] : ['[', ']'];
    return `  ${id(node.name)}${open}${label}${close}`;
  };
  const nodes = boxes(plan.nodes, boxOf);
  const edges = plan.nodes.flatMap(({ node, join, inputs }) =>
    inputs.map(({ task: dependency, output, label }) => {
      const isFused = hops.some((hop) => hop.includes(dependency) && hop.includes(node.name));
      const isOptional = node.optional?.includes(label) === true;
      const words = [output === undefined ? '' : escape(output), join === 'aligned' ? '' : join].filter(Boolean);
      const line = isOptional ? '-.->' : '-->';
      const plain = words.length === 0 ? line : `${line}|${words.join(', ')}|`;
      const arrow = isFused ? '==>|one thread hop|' : plain;
      return `  ${id(dependency)} ${arrow} ${id(node.name)}`;
    }),
  );
  const rules = plan.nodes.flatMap(({ node: { name, after = [], when = 'completed' } }) =>
    after.map((from) => `  ${id(from)} -.->|${when === 'completed' ? 'then' : `if ${when}`}| ${id(name)}`),
  );
  return [`%% ${printable(name).replaceAll('%', '')}`, 'flowchart LR', ...nodes, ...edges, ...rules];
}

/** The boxes of the tasks, those of a sub-workflow in a frame with its end. */
function boxes(nodes: readonly NodePlan[], boxOf: (node: NodePlan) => string): string[] {
  const plans = new Map(nodes.map((plan) => [plan.node.name, plan]));
  const lines: string[] = [];
  let open = 0;
  let frames = 0;
  for (const { name, depth } of arrange(nodes.map(({ node }) => node))) {
    for (; open > depth; open--) lines.push(`${'  '.repeat(open)}end`);
    const plan = plans.get(name) as NodePlan;
    const indent = '  '.repeat(depth);
    if (plan.node.members !== undefined) {
      lines.push(`${indent}  subgraph s${frames++}["${escape(name)}"]`);
      open++;
    }
    lines.push(`${'  '.repeat(open)}${boxOf(plan)}`);
  }
  for (; open > 0; open--) lines.push(`${'  '.repeat(open)}end`);
  return lines;
}

/** Writes each character that could be Markdown, HTML or a quote as `#…;`, the escape of Mermaid. */
function escape(text: string): string {
  return printable(text).replace(/[^\p{L}\p{N} .,:/_-]/gu, (character) => `#${character.codePointAt(0) ?? 0};`);
}
