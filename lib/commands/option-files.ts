/**
 * The files that options of a run name. Promise: none of them is one that the workflow reads or writes, or that another
 * option names; said before anything is opened.
 */
import { resolve } from 'node:path';
import { MillraceError } from '../core/errors.js';
import { assertDistinctFiles, claimsOf, type FileClaim } from '../runtime/file-claims.js';
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
  const claims: (FileClaim | undefined)[] = [
    claim('the dead letters', letters ?? undefined),
    claim('--events', events),
    claim('--log', log === '-' ? undefined : log),
    claim('--openlineage', lineage !== undefined && /^https?:/i.test(lineage) ? undefined : lineage),
  ];
  const { declarations } = workflow.plan(config);
  assertDistinctFiles([...claimsOf(declarations), ...claims.filter((one) => one !== undefined)]);
}

function claim(by: string, path: string | undefined): FileClaim | undefined {
  return path === undefined ? undefined : { by, path: resolve(path) };
}
