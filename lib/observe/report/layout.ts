/**
 * The layout of a task graph in layers from left to right (Sugiyama, Tagawa, Toda, 1981). The layer of a task is the
 * length of the longest path from a source. Within a layer, tasks are ordered by the mean place of their neighbours, so
 * that few edges cross.
 */
export interface LayoutTask {
  readonly name: string;
  /** Names of tasks that come earlier in the list. */
  readonly dependencies: readonly string[];
  /** Names of tasks that it runs after, which come earlier in the list too. */
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
  /** The most tasks in one layer. */
  readonly rows: number;
}

const SWEEPS = 4;

export function layOut(tasks: readonly LayoutTask[]): Layout {
  const layerOf = new Map<string, number>();
  const dependents = new Map<string, string[]>(tasks.map(({ name }) => [name, []]));
  const before = new Map(tasks.map(({ name, dependencies, after = [] }) => [name, [...dependencies, ...after]]));
  for (const [name, dependencies] of before) {
    layerOf.set(name, Math.max(-1, ...dependencies.map((dependency) => layerOf.get(dependency) ?? -1)) + 1);
    for (const dependency of dependencies) dependents.get(dependency)?.push(name);
  }
  const layers: string[][] = [];
  for (const { name } of tasks) (layers[layerOf.get(name) as number] ??= []).push(name);
  const rows = Math.max(0, ...layers.map((layer) => layer.length));
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isForward = sweep % 2 === 0;
    const place = placesOf(layers, rows);
    for (const layer of isForward ? layers : [...layers].reverse()) {
      order(layer, isForward ? before : dependents, place);
      layer.forEach((name, index) => place.set(name, rowOf(index, layer.length, rows)));
    }
  }
  const place = placesOf(layers, rows);
  const places = new Map(
    tasks.map(({ name }) => [name, { layer: layerOf.get(name) as number, row: place.get(name) as number }]),
  );
  return { places, layers: layers.length, rows };
}

/** Sorts a layer. The sort is stable: tasks without neighbours, or with equal means, keep their order. */
function order(
  layer: string[],
  neighbours: ReadonlyMap<string, readonly string[]>,
  place: ReadonlyMap<string, number>,
): void {
  const mean = new Map(
    layer.map((name) => {
      const near = neighbours.get(name) ?? [];
      const own = place.get(name) ?? 0;
      const sum = near.reduce((total, other) => total + (place.get(other) ?? 0), 0);
      return [name, near.length === 0 ? own : sum / near.length] as const;
    }),
  );
  layer.sort((a, b) => (mean.get(a) as number) - (mean.get(b) as number));
}

function placesOf(layers: readonly (readonly string[])[], rows: number): Map<string, number> {
  return new Map(
    layers.flatMap((layer) => layer.map((name, index) => [name, rowOf(index, layer.length, rows)] as const)),
  );
}

/** Centres each layer vertically. */
function rowOf(index: number, count: number, rows: number): number {
  return index + (rows - count) / 2;
}
