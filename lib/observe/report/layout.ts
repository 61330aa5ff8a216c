/**
 * Where the tasks of a graph stand: in layers from left to right, by the longest way from a source (Sugiyama, Tagawa,
 * Toda, 1981), ordered within a layer by the mean place of their neighbours so that few edges cross.
 */
export interface LayoutTask {
  readonly name: string;
  /** They stand before it in the list. */
  readonly dependencies: readonly string[];
}

/** Of a task, in units of the grid. */
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
  for (const { name, dependencies } of tasks) {
    layerOf.set(name, Math.max(-1, ...dependencies.map((dependency) => layerOf.get(dependency) ?? -1)) + 1);
    for (const dependency of dependencies) dependents.get(dependency)?.push(name);
  }
  const layers: string[][] = [];
  for (const { name } of tasks) (layers[layerOf.get(name) as number] ??= []).push(name);
  const rows = Math.max(0, ...layers.map((layer) => layer.length));
  const before = new Map(tasks.map(({ name, dependencies }) => [name, dependencies]));
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

/** Stable: those without neighbours, or with the same mean, stay as they stand. */
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

/** Each layer stands in the middle of the height. */
function rowOf(index: number, count: number, rows: number): number {
  return index + (rows - count) / 2;
}
