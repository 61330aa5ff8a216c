/**
 * The layout of a task graph in layers from left to right (Sugiyama, Tagawa, Toda, 1981). The layer of a task is the
 * length of the longest path from a source. Within a layer, tasks are ordered by the mean place of their neighbours, so
 * that few edges cross.
 *
 * Guarantees: an edge over several layers has a place of its own in each layer between, so that it passes between the
 * boxes. All such edges of one task share these places. A graph that would need too many places has none.
 */
export interface LayoutTask {
  readonly name: string;
  /** Names of tasks that come earlier in the list. */
  readonly dependencies: readonly string[];
  /** Names of tasks after whose end it runs. They come earlier in the list too. */
  readonly after?: readonly string[];
}

/** The position of a task, in units of the grid. */
export interface Place {
  readonly layer: number;
  readonly row: number;
}

export interface Layout {
  readonly places: ReadonlyMap<string, Place>;
  readonly layers: number;
  /** The most places in one layer. */
  readonly rows: number;
  /** The places that an edge passes between two tasks, from left to right. */
  readonly way: (from: string, to: string) => readonly Place[];
}

const SWEEPS = 4;
/** The most places for edges. With more of them, the picture would be too high to read. */
const MOST_WAYPOINTS = 2000;

/** Tasks and places of edges by number: first the tasks, in their order. */
interface Nodes {
  readonly layerOf: number[];
  readonly before: number[][];
  readonly dependents: number[][];
  /** By task, the number of its first place for edges; the others follow. */
  readonly waypoints: ReadonlyMap<number, number>;
}

export function layOut(tasks: readonly LayoutTask[]): Layout {
  const numbers = new Map(tasks.map(({ name }, number) => [name, number]));
  const { layerOf, before, dependents, waypoints } = connect(tasks, numbers);
  const layers: number[][] = [];
  layerOf.forEach((layer, node) => (layers[layer] ??= []).push(node));
  const rows = Math.max(0, ...layers.map((layer) => layer.length));
  const rowOf: number[] = [];
  const place = (layer: readonly number[]): void => {
    // Each layer is centred vertically.
    for (const [index, node] of layer.entries()) rowOf[node] = index + (rows - layer.length) / 2;
  };
  layers.forEach(place);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isForward = sweep % 2 === 0;
    for (const layer of isForward ? layers : [...layers].reverse()) {
      order(layer, isForward ? before : dependents, rowOf);
      place(layer);
    }
  }
  const placeOf = (node: number): Place => ({ layer: layerOf[node] as number, row: rowOf[node] as number });
  return {
    places: new Map(tasks.map(({ name }, node) => [name, placeOf(node)])),
    layers: layers.length,
    rows,
    way: (from, to) => {
      const [source, target] = [numbers.get(from), numbers.get(to)];
      const first = source === undefined ? undefined : waypoints.get(source);
      if (source === undefined || target === undefined || first === undefined) return [];
      const length = (layerOf[target] as number) - (layerOf[source] as number) - 1;
      return Array.from({ length }, (_, index) => placeOf(first + index));
    },
  };
}

function connect(tasks: readonly LayoutTask[], numbers: ReadonlyMap<string, number>): Nodes {
  const layerOf: number[] = [];
  const before = tasks.map(({ dependencies, after = [] }) =>
    [...dependencies, ...after].flatMap((name) => numbers.get(name) ?? []),
  );
  const reach = tasks.map(() => 0);
  for (const sources of before) {
    const layer = sources.reduce((last, source) => Math.max(last, (layerOf[source] as number) + 1), 0);
    layerOf.push(layer);
    for (const source of sources) reach[source] = Math.max(reach[source] as number, layer);
  }
  const between = reach.map((layer, node) => Math.max(0, layer - (layerOf[node] as number) - 1));
  const waypoints = new Map<number, number>();
  if (between.reduce((sum, count) => sum + count, 0) <= MOST_WAYPOINTS) {
    for (const [node, count] of between.entries()) {
      if (count > 0) waypoints.set(node, layerOf.length);
      for (let index = 0; index < count; index++) {
        before.push([index === 0 ? node : layerOf.length - 1]);
        layerOf.push((layerOf[node] as number) + 1 + index);
      }
    }
    // An edge arrives from the last place on its way.
    for (let node = 0; node < tasks.length; node++) {
      before[node] = (before[node] as number[]).map((source) => {
        const length = (layerOf[node] as number) - (layerOf[source] as number) - 1;
        return length === 0 ? source : (waypoints.get(source) as number) + length - 1;
      });
    }
  }
  const dependents = layerOf.map((): number[] => []);
  for (const [node, sources] of before.entries()) for (const source of sources) dependents[source]?.push(node);
  return { layerOf, before, dependents, waypoints };
}

/** Sorts a layer. The sort is stable: tasks without neighbours, or with equal means, keep their order. */
function order(layer: number[], neighbours: readonly (readonly number[])[], rowOf: readonly number[]): void {
  const mean = new Map(
    layer.map((node) => {
      const near = neighbours[node] ?? [];
      const sum = near.reduce((total, other) => total + (rowOf[other] as number), 0);
      return [node, near.length === 0 ? (rowOf[node] as number) : sum / near.length] as const;
    }),
  );
  layer.sort((a, b) => (mean.get(a) as number) - (mean.get(b) as number));
}
