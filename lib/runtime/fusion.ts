/**
 * Which neighbouring cpu tasks share a thread hop: their records go out once, through all their functions, and come back
 * once. Promise: only tasks for which nobody can tell the difference are fused, apart from the time it takes: the first
 * has one dependent, the second one dependency, and nothing of either has to happen in the thread of the run in between.
 */
import type { GraphPlan, NodePlan } from '../core/graph.js';
import type { TaskDeclaration } from '../tasks/flow.js';
import type { HopTraits } from '../tasks/hop.js';

/** The chains of two tasks and more, first task first. */
export function planHops(plan: GraphPlan, declarations: readonly TaskDeclaration[]): readonly (readonly string[])[] {
  const traits = new Map(declarations.map(({ name, task }) => [name, task.hop]));
  const nodes = new Map(plan.nodes.map((node) => [node.node.name, node]));
  const followers = new Map<string, string>();
  for (const node of plan.nodes) {
    const [next, ...others] = node.dependents;
    if (next === undefined || others.length > 0) continue;
    const follower = nodes.get(next) as NodePlan;
    if (isOnlyEdge(follower) && mayFuse(traits.get(node.node.name), traits.get(next))) {
      followers.set(node.node.name, next);
    }
  }
  const following = new Set(followers.values());
  return [...followers.keys()].filter((name) => !following.has(name)).map((name) => chainFrom(name, followers));
}

function isOnlyEdge({ node, join }: NodePlan): boolean {
  return node.dependencies.length === 1 && join === 'aligned';
}

function mayFuse(leader: HopTraits | undefined, follower: HopTraits | undefined): boolean {
  if (leader === undefined || follower === undefined) return false;
  return leader.mayLead && follower.mayFollow && leader.policy === follower.policy;
}

function chainFrom(first: string, followers: ReadonlyMap<string, string>): string[] {
  const chain = [first];
  for (let next = followers.get(first); next !== undefined; next = followers.get(next)) chain.push(next);
  return chain;
}
