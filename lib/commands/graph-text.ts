/**
 * The graph as ASCII text: one line per task, in the order in which records reach them, with rails for the edges, as
 * `git log --graph` draws them.
 *
 * Guarantees: each edge of the engine is exactly one rail; a graph with too many rails side by side is summarised by
 * layers.
 */
import type { NodePlan } from '../model/graph.js';
import type { WorkflowPlan } from '../runtime/definition/prepared-workflow.js';
import { counted, printable } from '../text/printable.js';
import { durabilityLines } from './durability-lines.js';
import { memoLines } from './memo-lines.js';
import { graphLayers } from './graph-layers.js';
import { renderTable } from './table.js';

/** The most rails side by side that fit beside the names on a wide screen. */
const MOST_RAILS = 40;

/** The lines of the drawing. */
export function graphText(name: string, { plan, declarations, hops, durability }: WorkflowPlan): string[] {
  const kinds = new Map(declarations.map(({ name: task, task: { kind } }) => [task, kind]));
  const roots = [...plan.roots.keys()].map(printable).join(', ');
  return [
    `${printable(name)}: ${counted(plan.nodes.length, 'task')}, ${counted(plan.roots.size, 'root')} (${roots})`,
    '',
    ...(draw(plan, kinds) ?? graphLayers(plan.nodes, kinds)),
    ...durabilityLines(durability),
    ...subWorkflowLines(plan),
    ...memoLines(declarations),
    ...hops.map((hop) => `Fused into one thread hop: ${hop.map(printable).join(' -> ')}`),
  ];
}

/** One line per sub-workflow. */
function subWorkflowLines({ nodes }: WorkflowPlan['plan']): string[] {
  return nodes.flatMap(({ node: { name, members } }) =>
    members === undefined
      ? []
      : [`Sub-workflow ${printable(name)}: ${counted(members.length, 'task')}, ${members.map(printable).join(', ')}`],
  );
}

/** One line per task; undefined if too many rails are side by side. */
function draw({ nodes }: WorkflowPlan['plan'], kinds: ReadonlyMap<string, string>): string[] | undefined {
  const rails = new Rails();
  const rows: string[][] = [];
  for (const { node, join, inputs, outputRoot, dependents } of nodes) {
    if (dependents.length > MOST_RAILS || rails.width > MOST_RAILS) return undefined;
    const { before, at, after } = rails.place(node.name, dependents);
    if (before !== undefined) rows.push([before]);
    const how = node.dependencies.length > 1 || join !== 'aligned' ? join : '';
    const task = `${at}  ${printable(node.name)}`;
    rows.push([task, kinds.get(node.name) ?? '', labelsOf(node, inputs).join(', '), how, outputRoot]);
    if (after !== undefined) rows.push([after]);
  }
  const columns = ['task', 'kind', 'inputs', 'join', 'root'].map((title) => ({ title }));
  return renderTable(columns, rows, Infinity);
}

/** The outputs that a task reads. An optional one has a question mark. */
export function labelsOf({ optional = [], after, when }: NodePlan['node'], inputs: NodePlan['inputs']): string[] {
  if (after !== undefined) return [ruleText({ after, when })];
  return inputs.map(({ label }) => (optional.includes(label) ? `${label}?` : label));
}

/** A rule in words: `after Load`, `after Load failed`, `after Load and Publish ended`. */
export function ruleText({ after = [], when = 'completed' }: Pick<NodePlan['node'], 'after' | 'when'>): string {
  return `after ${after.join(when === 'failed' ? ' or ' : ' and ')}${when === 'completed' ? '' : ` ${when}`}`;
}

/** The task at the end of each rail; undefined for a free place. */
class Rails {
  private readonly rails: (string | undefined)[] = [];

  /** The most rails that were side by side. */
  get width(): number {
    return this.rails.length;
  }

  /**
   * The rows of one task: the row where rails join before it, the row of the task, the row where rails split after it.
   */
  place(task: string, dependents: readonly string[]): { before?: string; at: string; after?: string } {
    const arriving = this.rails.flatMap((end, rail) => (end === task ? [rail] : []));
    const own = arriving[0] ?? this.free();
    const before = arriving.length > 1 ? this.bar(arriving) : undefined;
    for (const rail of arriving) this.rails[rail] = undefined;
    this.rails[own] = task;
    const at = this.row((end, rail) => (rail === own ? '*' : end === undefined ? ' ' : '|'));
    const [first, ...others] = dependents;
    this.rails[own] = first;
    const leaving = [own];
    for (const dependent of others) {
      const rail = this.free();
      this.rails[rail] = dependent;
      leaving.push(rail);
    }
    const after = others.length > 0 ? this.bar(leaving) : undefined;
    return { at, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
  }

  private free(): number {
    const found = this.rails.indexOf(undefined);
    if (found !== -1) return found;
    return this.rails.push(undefined) - 1;
  }

  private row(draw: (end: string | undefined, rail: number) => string): string {
    return this.rails.map(draw).join(' ').trimEnd();
  }

  /** A bar from the first of these rails to the last; it crosses the rails between them. */
  private bar(ends: readonly number[]): string {
    const first = Math.min(...ends);
    const last = Math.max(...ends);
    let text = '';
    this.rails.forEach((end, rail) => {
      const isInside = rail >= first && rail <= last;
      const empty = isInside ? '-' : ' ';
      text += ends.includes(rail) ? '+' : end === undefined ? empty : '|';
      text += rail >= first && rail < last ? '-' : ' ';
    });
    return text.trimEnd();
  }
}
