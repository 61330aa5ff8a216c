/** The lines of a stack that show a user where an error comes from. */
import { fileURLToPath } from 'node:url';
import { printable } from '../text/printable.js';

/** The most lines to show. */
const MAX_LINES = 8;

/** The folder of this package. Its frames do not help to find the mistake of a user. */
const OWN = fileURLToPath(new URL('../', import.meta.url));

/** The frames outside of Node and of this package, as printable lines; all frames if there are no others. */
export function stackLines(error: unknown): readonly string[] {
  const stack = error instanceof Error && typeof error.stack === 'string' ? error.stack : '';
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  const own = frames.filter((line) => !/\(?node:/.test(line) && !line.replaceAll('file://', '').includes(OWN));
  return (own.length > 0 ? own : frames).slice(0, MAX_LINES).map((line) => `    ${printable(line.trim())}`);
}
