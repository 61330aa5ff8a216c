/**
 * Decides which neighbouring tasks run as one: cpu tasks share one thread hop, so that their records go to the thread
 * once, through all their functions, and come back once; sync tasks share one loop.
 *
 * Guarantees: fusion changes only the time. Two tasks are fused only if the first has one dependent, the second has one
 * dependency, and no other part needs the records between them.
 */
import type { GraphPlan, NodePlan } from '../../model/graph.js';
import type { TaskDeclaration } from '../../tasks/flow.js';
import type { Fusible } from '../../tasks/fusible.js';

/** Chains of two or more tasks, each from its first task to its last. */
export interface Fusions {
  /** Chains that share a thread hop. */
  readonly hops: readonly (readonly string[])[];
  /** Chains that share a loop in the thread of the run. */
  readonly chains: readonly (readonly string[])[];
}

export const NO_FUSIONS: Fusions = { hops: [], chains: [] };

export function planFusions(plan: GraphPlan, declarations: readonly TaskDeclaration[]): Fusions {
  const traits = new Map(declarations.map(({ name, task }) => [name, task.fusible]));
  const nodes = new Map(plan.nodes.map((node) => [node.node.name, node]));
  const followers = new Map<string, string>();
  for (const node of plan.nodes) {
    const [next, ...others] = node.dependents;
    if (next === undefined || others.length > 0 || node.outputs.size > 0) continue;
    const follower = nodes.get(next) as NodePlan;
    if (isOnlyEdge(follower) && mayFuse(traits.get(node.node.name), traits.get(next))) {
      followers.set(node.node.name, next);
    }
  }
  const following = new Set(followers.values());
  const firsts = [...followers.keys()].filter((name) => !following.has(name));
  const of = (where: Fusible['where']): string[][] =>
    firsts.filter((name) => traits.get(name)?.where === where).map((name) => chainFrom(name, followers));
  return { hops: of('in threads'), chains: of('inline') };
}

function isOnlyEdge({ node, join }: NodePlan): boolean {
  return node.dependencies.length === 1 && join === 'aligned';
}

function mayFuse(leader: Fusible | undefined, follower: Fusible | undefined): boolean {
  if (leader === undefined || follower === undefined) return false;
  return leader.mayLead && follower.mayFollow && leader.policy === follower.policy;
}

function chainFrom(first: string, followers: ReadonlyMap<string, string>): string[] {
  const chain = [first];
  for (let next = followers.get(first); next !== undefined; next = followers.get(next)) chain.push(next);
  return chain;
}
