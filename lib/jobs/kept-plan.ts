/**
 * The plan of a kept run, from which a report and a server explain it without loading its workflow.
 *
 * Guarantees: it is that of the last incarnation. A run without one, from an earlier version, has no explanation.
 */
import { mendBroken } from '../storage/broken-run.js';
import { replaceFile } from '../storage/checkpoint-file.js';
import { fileError } from '../storage/file-errors.js';
import { readSealed } from '../storage/read-json.js';
import { seal } from '../storage/sealed.js';
import type { RunFolder } from '../storage/run-folder.js';
import { explained, type Explanation, type PlannedWorkflow } from '../observe/report/explanation.js';
import type { PreparedWorkflow } from '../runtime/definition/prepared-workflow.js';
import { planned } from './explain-workflow.js';
import { measuresOf } from './run-measures.js';

/** Writes the plan into the folder of the run. Rejects with MILLRACE_FILE if it cannot be written. */
export async function keepPlan(folder: RunFolder, prepared: PreparedWorkflow): Promise<void> {
  const path = folder.file('plan.json');
  await replaceFile(path, seal(planned(prepared)), `${path}.tmp`).catch((error: unknown) => {
    throw fileError('write', path, error);
  });
}

/**
 * The explanation of a kept run, with its measures if it has ended; undefined if it has no plan. Throws MILLRACE_FILE if
 * its plan, its summary or its events are damaged.
 */
export async function explanationOf(folder: RunFolder): Promise<Explanation | undefined> {
  const path = folder.file('plan.json');
  const plan = (await readSealed(path, mendBroken(folder.manifest.runId))) as Partial<PlannedWorkflow> | undefined;
  if (plan?.format !== 1) return undefined;
  return explained(plan as PlannedWorkflow, await measuresOf(folder));
}
