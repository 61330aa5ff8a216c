/** A graph of layers: each task depends on up to three of the layer before it, and does nothing but return. */

/** Tasks per layer. */
const WIDTH = 100;

/** The tasks that the task with this number (from 0) depends on, each once. */
export function dependenciesOf(task: number): readonly number[] {
  const layer = Math.floor(task / WIDTH);
  if (layer === 0) return [];
  const before = (layer - 1) * WIDTH;
  return [...new Set([task * 7, task * 13 + 5, task * 3 + 11].map((number) => before + (number % WIDTH)))];
}

/** Counts the tasks that have run, which is the checksum of each side. */
export class Runs {
  count = 0;
  readonly task = (): Promise<number> => Promise.resolve(++this.count);
}
