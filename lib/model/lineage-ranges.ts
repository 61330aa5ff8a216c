/**
 * Sets of whole numbers as runs: pairs [from, to), flat, ascending, none touching the next. What a checkpoint keeps of
 * lineages is a few runs, however many lineages there are.
 */
export type Runs = readonly number[];

/** Whether the number is in one of the runs; by bisection. */
export function holds(runs: Runs, value: number): boolean {
  let low = 0;
  let high = runs.length >> 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((runs[2 * middle + 1] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return 2 * low < runs.length && (runs[2 * low] as number) <= value;
}

/** Everything that is in one of the two, from `least` on. */
export function unite(left: Runs, right: Runs, least: number): Runs {
  const pairs: [number, number][] = [];
  for (const runs of [left, right]) {
    for (let i = 0; i < runs.length; i += 2) pairs.push([Math.max(least, runs[i] as number), runs[i + 1] as number]);
  }
  pairs.sort(([a], [b]) => a - b);
  const united: number[] = [];
  for (const [from, to] of pairs) {
    const end = united.at(-1);
    if (to <= from) continue;
    if (end !== undefined && from <= end) united[united.length - 1] = Math.max(end, to);
    else united.push(from, to);
  }
  return united;
}

/** The runs without these numbers, which stand in ascending order. */
export function leaveOut(runs: Runs, values: readonly number[]): Runs {
  const left: number[] = [];
  let next = 0;
  for (let i = 0; i < runs.length; i += 2) {
    let from = runs[i] as number;
    const to = runs[i + 1] as number;
    while (next < values.length && (values[next] as number) < from) next++;
    for (; next < values.length && (values[next] as number) < to; next++) {
      const value = values[next] as number;
      if (value > from) left.push(from, value);
      from = value + 1;
    }
    if (to > from) left.push(from, to);
  }
  return left;
}

/** Everything that is in both. */
export function intersect(left: Runs, right: Runs): Runs {
  const both: number[] = [];
  let l = 0;
  let r = 0;
  while (l < left.length && r < right.length) {
    const from = Math.max(left[l] as number, right[r] as number);
    const to = Math.min(left[l + 1] as number, right[r + 1] as number);
    if (from < to) both.push(from, to);
    if (left[l + 1] === to) l += 2;
    else r += 2;
  }
  return both;
}
