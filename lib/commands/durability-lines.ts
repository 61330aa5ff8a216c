/** Describes how a resumed run continues the boundaries of a graph. */
import type { TaskDurability } from '../runtime/definition/prepared-workflow.js';
import { printable } from '../text/printable.js';

const MEANING: Readonly<Record<TaskDurability['durability'], string>> = {
  kept: 'State kept in checkpoints',
  computed: 'Computed again by a resumed run',
  repeated: 'Repeated by a resumed run, with everything behind it',
};

/** One line per kind of durability that occurs. */
export function durabilityLines(found: readonly TaskDurability[]): string[] {
  return Object.entries(MEANING).flatMap(([durability, meaning]) => {
    const tasks = found.filter((one) => one.durability === durability).map(({ task }) => printable(task));
    return tasks.length === 0 ? [] : [`${meaning}: ${tasks.join(', ')}`];
  });
}
