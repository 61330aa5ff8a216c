/**
 * The key of a setting `a.b=value`. A backslash before `=`, `.` or another backslash makes it part of a name, so each
 * key of a configuration can be written: `a\.b=1` sets the key `a.b`.
 */

/** The key as it is written, without the `=`; the whole setting if it has none. */
export function keyOf(setting: string): string {
  return /^(?:\\[=.\\]|[^=])*/.exec(setting)?.[0] ?? '';
}

/** The names in a key, outermost first. */
export function pathOf(key: string): readonly string[] {
  const names = [''];
  for (const [part] of key.matchAll(/\\[=.\\]|[^]/g)) {
    if (part === '.') names.push('');
    else names.push(`${names.pop() ?? ''}${part.length > 1 ? part.slice(1) : part}`);
  }
  return names;
}

/** The name as the key of a setting. */
export function keyWithName(name: string): string {
  return name.replace(/[=.\\]/g, (character) => `\\${character}`);
}
