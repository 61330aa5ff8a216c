/**
 * The limits of a run at work, in time, memory and output. Pure.
 *
 * Guarantees: the reason for a run over a limit names the limit, and how to keep it.
 */
import type { ServingRules } from '../../model/serving.js';
import { parseDuration, parseSize } from '../../text/quantities.js';
import type { StoredRun } from './stored-run.js';

/** The observed facts about the process of a run. */
export interface Use {
  /** The bytes of memory that it uses. */
  readonly memory?: number | undefined;
  /** The bytes that it has printed. */
  readonly printed?: number | undefined;
  /** The end of the process. */
  readonly exit?: { readonly words: string } | undefined;
}

/** The most bytes that a process may print: the disk is for results. */
const MOST_PRINTED = 256 * 2 ** 20;

/** The reason why the run must be stopped, in one sentence; '' while it is within its limits. */
export function overLimit(
  { workingSince }: Pick<StoredRun, 'workingSince'>,
  { memory, printed = 0, exit }: Use,
  { maxTime, maxMemory }: ServingRules = {},
  now: number,
): string {
  if (maxTime !== undefined && workingSince !== null && now - workingSince > (parseDuration(maxTime) ?? Infinity)) {
    return `It was at work for more than ${maxTime}, the \`maxTime\` of its workflow. Resuming it gives it this time again`;
  }
  if (printed > MOST_PRINTED) {
    return 'Its process has printed more than 256 MB. Print less, or write to a file';
  }
  if (maxMemory === undefined) return '';
  const isOver = memory !== undefined && memory > (parseSize(maxMemory) ?? Infinity);
  // Node ends a process by itself whose heap reaches the limit.
  const hasFallen = exit !== undefined && /heap out of memory/i.test(exit.words);
  return isOver || hasFallen
    ? `It used more than ${maxMemory} of memory, the \`maxMemory\` of its workflow. Raise it, or lower the window of the workflow`
    : '';
}
