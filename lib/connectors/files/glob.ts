/**
 * Patterns of paths: `*` and `?` within a name, `**` for folders at any depth, `[a-z]` and `{a,b}`.
 *
 * Guarantees: names that begin with a dot match only a pattern that names the dot. A plain name follows a link to a
 * folder, but `**` does not, so a search through circular links ends. The result does not depend on the file system's
 * order of names.
 */

import { describeValue, MillraceError } from '../../connect/index.js';

/** Whether the path has a character that makes it a pattern. */
export function isPattern(path: string): boolean {
  return /[*?[{]/.test(path);
}

/** An entry of a folder. */
export interface FolderEntry {
  readonly name: string;
  /** True for a folder, not for a link to one. */
  readonly isFolder: boolean;
}

/**
 * Finds the paths that match. Yields the path of each folder that must be listed, and is resumed with its entries;
 * undefined stands for a folder that does not exist. Returns the paths as the pattern writes them, sorted by name.
 */
export function* matchPaths(pattern: string): Generator<string, string[], readonly FolderEntry[] | undefined> {
  const found = new Set<string>();
  for (const alternative of alternativesOf(pattern)) {
    // A URL begins with its scheme and host, an absolute path with a slash.
    const [start = ''] = /^(?:[a-z][a-z0-9+.-]+:\/\/[^/]*\/?|\/)/i.exec(alternative) ?? [];
    const rest = alternative.slice(start.length);
    const segments = rest.split('/').filter((segment) => segment !== '' && segment !== '.');
    yield* walk(start, segments, found);
  }
  return [...found].sort((one, other) => (one < other ? -1 : one > other ? 1 : 0));
}

/** Adds the paths below `folder` that match the segments. */
function* walk(
  folder: string,
  [segment, ...rest]: readonly string[],
  found: Set<string>,
): Generator<string, void, readonly FolderEntry[] | undefined> {
  if (segment === undefined) return;
  if (!isPattern(segment)) {
    const path = folder + segment;
    if (rest.length > 0) {
      yield* walk(`${path}/`, rest, found);
      return;
    }
  }
  const isDeep = segment === '**';
  // `**` at the end means all files below.
  if (isDeep) yield* walk(folder, rest.length === 0 ? ['*'] : rest, found);
  const entries = (yield folder === '' ? '.' : folder) ?? [];
  const matches = isDeep ? undefined : nameMatcher(segment);
  for (const { name, isFolder } of entries) {
    if (isDeep) {
      if (isFolder && !name.startsWith('.')) yield* walk(`${folder}${name}/`, [segment, ...rest], found);
    } else if (matches?.(name) === true) {
      if (rest.length === 0) found.add(folder + name);
      else yield* walk(`${folder}${name}/`, rest, found);
    }
  }
}

/** Whether a name matches one segment of a pattern. */
function nameMatcher(segment: string): (name: string) => boolean {
  let source = '';
  for (let at = 0; at < segment.length; at++) {
    const char = segment.charAt(at);
    const close = char === '[' ? segment.indexOf(']', at + 2) : -1;
    // Several stars in a row count as one, because separate expressions would take exponential time.
    if (char === '*') source += source.endsWith('[^/]*') ? '' : '[^/]*';
    else if (char === '?') source += '[^/]';
    else if (close > 0) {
      const set = segment.slice(at + 1, close);
      const isNegated = /^[!^]/.test(set);
      source += `[${isNegated ? '^' : ''}${(isNegated ? set.slice(1) : set).replace(/[\\\]^]/g, '\\$&')}]`;
      at = close;
    } else source += char.replace(/[.+^${}()|[\]\\]/, '\\$&');
  }
  const expression = compiled(source, segment);
  const hasDot = segment.startsWith('.');
  return (name) => (hasDot || !name.startsWith('.')) && expression.test(name);
}

function compiled(source: string, segment: string): RegExp {
  try {
    return new RegExp(`^${source}$`, 'su');
  } catch (cause) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected a pattern of files such as *.csv, got ${describeValue(segment)}: its [ ] hold no range of characters`,
      { cause },
    );
  }
}

/** The patterns without braces: `{a,b}` stands for each of its parts. */
function alternativesOf(pattern: string): string[] {
  const open = pattern.indexOf('{');
  if (open < 0) return [pattern];
  const parts: string[] = [];
  let depth = 0;
  let from = open + 1;
  for (let at = open; at < pattern.length; at++) {
    const char = pattern[at];
    if (char === '{') depth++;
    else if (char === ',' && depth === 1) {
      parts.push(pattern.slice(from, at));
      from = at + 1;
    } else if (char === '}' && --depth === 0) {
      parts.push(pattern.slice(from, at));
      const [head, tail] = [pattern.slice(0, open), pattern.slice(at + 1)];
      return parts.flatMap((part) => alternativesOf(head + part + tail));
    }
  }
  // A brace that is never closed is an ordinary character.
  return [pattern.replace('{', '[{]')];
}
