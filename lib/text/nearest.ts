/** Finds the name that a user probably meant, for "did you mean" in errors. */

/** The candidate with the smallest edit distance to `name`, or undefined if none is near. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    const [given, known] = [name.toLowerCase(), candidate.toLowerCase()];
    const distance = editDistance(given, known);
    // A third of the letters may differ, half of them if one name is a prefix of the other, and one letter in short
    // names.
    const share = known.startsWith(given) || given.startsWith(known) ? 2 : 3;
    if (distance < bestDistance && distance <= Math.max(1, Math.floor(name.length / share))) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` Did you mean 'x'?`, or the list of existing names. Starts with a space. */
export function suggest(name: string, candidates: readonly string[]): string {
  const near = nearest(name, candidates);
  if (near !== undefined) return ` Did you mean '${near}'?`;
  if (candidates.length === 0) return '';
  const shown = candidates.slice(0, 10).map((candidate) => `'${candidate}'`);
  return ` Known: ${shown.join(', ')}${candidates.length > shown.length ? ', …' : ''}.`;
}

/** Levenshtein distance with adjacent transpositions (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let distance = Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, (beforePrevious[j - 2] ?? 0) + 1);
      }
      current.push(distance);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? 0;
}
