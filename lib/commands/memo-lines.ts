/** Which tasks remember their outputs, and where, as text. */
import type { TaskDeclaration } from '../tasks/flow.js';
import { printable } from '../text/printable.js';

/** One line per store. */
export function memoLines(declarations: readonly TaskDeclaration[]): string[] {
  const tasks = new Map<string, string[]>();
  for (const { name, task } of declarations) {
    if (task.memo === undefined) continue;
    const place = task.memo.options.store.location ?? 'a store of the workflow';
    tasks.set(place, [...(tasks.get(place) ?? []), printable(name)]);
  }
  return [...tasks].map(([place, names]) => `Outputs remembered in ${printable(place)}: ${names.join(', ')}`);
}
