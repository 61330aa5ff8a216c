/**
 * The files that options of a run name. Promise: none of them is one that the workflow reads or writes, or that another
 * option names; said before anything is opened.
 */
import { MillraceError } from '../model/errors.js';
import { assertDistinctFiles, claimsBy, claimsOf, type FileClaim } from '../runtime/definition/file-claims.js';
import { touchedFile } from '../storage/touched-file.js';
import type { Arguments } from './arguments.js';
import type { Loaded } from './command.js';

/** @param letters where the dead letters go, where that was said. */
export function assertOptionFiles(args: Arguments, { workflow, config }: Loaded, letters: string | null): void {
  const events = args.text('events');
  if (events === '-') {
    throw new MillraceError(
      'MILLRACE_USAGE',
      'Expected --events to name a file, got -. For events on standard output write --json',
    );
  }
  const lineage = args.text('openlineage');
  const log = args.text('log');
  assertDistinctFiles([
    ...claimsOf(workflow.plan(config).declarations),
    ...claim('the dead letters', letters ?? undefined),
    ...claim('--events', events),
    ...claim('--log', log === '-' ? undefined : log),
    ...claim('--openlineage', lineage !== undefined && /^https?:/i.test(lineage) ? undefined : lineage),
  ]);
}

function claim(by: string, path: string | undefined): FileClaim[] {
  return path === undefined ? [] : claimsBy(by, [touchedFile(path, 'write')]);
}
