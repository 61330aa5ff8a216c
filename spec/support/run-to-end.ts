/** Runs declared tasks to the end and keeps what they emitted. */
import { Workflow, type RunEvent, type RunOptions, type RunSummary, type TaskDeclaration } from 'millrace';

export interface Ended {
  readonly summary: RunSummary;
  readonly outputs: Readonly<Record<string, unknown[]>>;
  readonly events: readonly RunEvent[];
}

export async function runToEnd(tasks: readonly TaskDeclaration[], options: RunOptions = {}): Promise<Ended> {
  const run = new Workflow({ name: 'test', tasks: () => tasks }).run(undefined, options);
  const outputs: Record<string, unknown[]> = {};
  const events: RunEvent[] = [];
  for (const { name } of tasks) {
    const seen: unknown[] = [];
    outputs[name] = seen;
    run.output$(name).subscribe((value) => seen.push(value));
  }
  run.events$.subscribe((event) => events.push(event));
  return { summary: await run.finished, outputs, events };
}

/** A declaration, in the order one says it. */
export function task(
  name: string,
  dependencies: readonly string[],
  does: TaskDeclaration['task'],
  join?: TaskDeclaration['join'],
): TaskDeclaration {
  return { name, dependencies, task: does, join };
}
