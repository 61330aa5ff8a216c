/** Runs a workflow to its end and collects what one of its tasks emits. */
import { defineWorkflow, type Flow, type RunOptions, type RunSummary } from 'millrace';

export async function outputsOf<Outputs>(
  name: string,
  build: (flow: Flow<object>) => Flow<Outputs>,
  options: RunOptions = {},
): Promise<{ records: unknown[]; summary: RunSummary }> {
  const run = defineWorkflow({ name: 'Spec', build }).run(undefined, options);
  const records: unknown[] = [];
  run.output$(name as keyof Outputs & string).subscribe((record) => records.push(record));
  return { records, summary: await run.finished };
}
