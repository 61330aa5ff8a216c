/**
 * Sets of lineages as ranges: pairs [from, to) in one flat ascending array; no range touches the next. A checkpoint
 * stores its lineages this way, because a few ranges hold any number of lineages.
 */
export type LineageRanges = readonly number[];

/** Whether the lineage is in one of the ranges; a binary search. */
export function containsLineage(ranges: LineageRanges, value: number): boolean {
  let low = 0;
  let high = ranges.length >> 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranges[2 * middle + 1] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return 2 * low < ranges.length && (ranges[2 * low] as number) <= value;
}

/** The union of both sets, without lineages below `least`. */
export function uniteRanges(left: LineageRanges, right: LineageRanges, least: number): LineageRanges {
  const pairs: [number, number][] = [];
  for (const ranges of [left, right]) {
    for (let i = 0; i < ranges.length; i += 2)
      pairs.push([Math.max(least, ranges[i] as number), ranges[i + 1] as number]);
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

/** The ranges without these lineages, which must be in ascending order. */
export function excludeLineages(ranges: LineageRanges, values: readonly number[]): LineageRanges {
  const left: number[] = [];
  let next = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    let from = ranges[i] as number;
    const to = ranges[i + 1] as number;
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

/** The intersection of both sets. */
export function intersect(left: LineageRanges, right: LineageRanges): LineageRanges {
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
