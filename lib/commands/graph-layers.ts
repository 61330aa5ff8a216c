/**
 * Shows a graph that is too wide to draw, as one row per layer. The layer of a task is the length of the longest path
 * to it from a source.
 */
import type { NodePlan } from '../model/graph.js';
import { counted, printable } from '../text/printable.js';
import { renderTable } from './table.js';

/** Names of tasks that a row shows. */
const SHOWN = 3;

export function graphLayers(nodes: readonly NodePlan[], kinds: ReadonlyMap<string, string>): string[] {
  const layerOf = new Map<string, number>();
  const layers: NodePlan[][] = [];
  for (const plan of nodes) {
    const { name, dependencies, after = [] } = plan.node;
    // A task may have more dependencies than a call can have arguments.
    const layer = [...dependencies, ...after].reduce(
      (last, dependency) => Math.max(last, (layerOf.get(dependency) ?? -1) + 1),
      0,
    );
    layerOf.set(name, layer);
    (layers[layer] ??= []).push(plan);
  }
  const rows = layers.map((plans, layer) => {
    const edges = plans.reduce((sum, { node }) => sum + node.dependencies.length, 0);
    return [String(layer + 1), String(plans.length), kindsOf(plans, kinds), String(edges), namesOf(plans)];
  });
  const columns = ['layer', 'tasks', 'kinds', 'edges in', 'names'].map((title) => ({ title }));
  return [
    `The graph is too wide to draw: ${counted(layers.length, 'layer')}. --format mermaid has every edge`,
    '',
    ...renderTable(columns, rows, Infinity),
  ];
}

function kindsOf(plans: readonly NodePlan[], kinds: ReadonlyMap<string, string>): string {
  const counts = new Map<string, number>();
  for (const { node } of plans) {
    const kind = kinds.get(node.name) ?? '';
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
}

function namesOf(plans: readonly NodePlan[]): string {
  const names = plans.slice(0, SHOWN).map(({ node }) => printable(node.name));
  return plans.length > SHOWN ? `${names.join(', ')}, …` : names.join(', ');
}
