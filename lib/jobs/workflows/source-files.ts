/**
 * The files of a workflow: its own file, and the files that it imports by a relative path, found in the text.
 *
 * Guarantees: nothing is loaded, so a file that does not load is included.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { JobRequest } from '../load-job.js';
import { absolutePath, type JobPlace } from '../place.js';
import { filesImportedBy, textOf } from './imported-files.js';
import { isPath } from './load-workflow.js';
import { localWorkflowFiles, nameOfFile } from './workflow-files.js';

/** The part of a request that names files. */
export interface RequestedFiles extends Pick<JobRequest, 'config'> {
  /** As in a request; undefined for all workflows that have a name in the place. */
  readonly workflow: string | undefined;
}

/** The absolute paths of the files of a request. Those of its configuration need not exist. */
export function sourceFilesOf({ workflow, config }: RequestedFiles, place: JobPlace): readonly string[] {
  const found = filesImportedBy(entriesOf(workflow, place));
  return [...found, ...(config === null ? [] : [absolutePath(place, config)])];
}

function entriesOf(workflow: string | undefined, place: JobPlace): readonly string[] {
  if (workflow !== undefined && isPath(workflow)) {
    const path = workflow.startsWith('file:') ? fileURLToPath(workflow) : workflow;
    const whole = absolutePath(place, path);
    return [existsSync(whole) ? whole : absolutePath(place, path.replace(/#[^#]*$/, ''))];
  }
  return localWorkflowFiles(place)
    .map((file) => absolutePath(place, file))
    .filter((file) => workflow === undefined || nameOfFile(file) === workflow || textOf(file).includes(workflow));
}
