/** The errors that only threads have, in words that say what to do. */
import { FatalTaskError, MillraceError, codeOf, describeThrown } from '../model/errors.js';
import type { Thread } from './thread.js';
import type { ThreadJob } from './thread-job.js';
import { reasonOf, whyUncloneable } from './uncloneable.js';

/** How a thread came to its end, as the beginning of a sentence. */
function describeDeath({ failure, exitCode }: Thread): string {
  if (failure === undefined) return `A thread exited with code ${exitCode ?? 'unknown'}`;
  if (codeOf(failure) === 'ERR_WORKER_OUT_OF_MEMORY') return 'A thread ran out of memory';
  return `A thread died of an uncaught error (${describeThrown(failure)})`;
}

/** The record was alone in its thread when that died. */
export function deathError(job: ThreadJob, stage: number, lineage: number, thread: Thread): MillraceError {
  const message = `${describeDeath(thread)} while '${job.taskOf(stage)}' worked on record ${lineage}`;
  return new MillraceError('MILLRACE_THREAD', message, { cause: thread.failure });
}

export function timeoutError(job: ThreadJob, stage: number, lineage: number): MillraceError {
  return new MillraceError(
    'MILLRACE_TIMEOUT',
    `'${job.taskOf(stage)}' worked on record ${lineage} for more than ${job.spec.timeoutMs ?? 0} ms, so its thread was stopped`,
  );
}

/** With a thread, the partitions in it are lost. */
export function lostState(job: ThreadJob, thread: Thread): FatalTaskError {
  return new FatalTaskError(
    'MILLRACE_THREAD',
    `${describeDeath(thread)}, and with it a partition of '${job.taskOf(0)}'. The rest would be a wrong answer. Leave \`partitionBy\` out, and parts are kept outside of threads`,
    { cause: thread.failure },
  );
}

export function fruitlessError(thread: Thread, deaths: number): FatalTaskError {
  return new FatalTaskError(
    'MILLRACE_THREAD',
    `${describeDeath(thread)}. That was thread number ${deaths} in a row that ended without having done anything: check the limits of threads, and what the module does when it is loaded`,
    { cause: thread.failure },
  );
}

export function loadingError(thread: Thread): FatalTaskError {
  return new FatalTaskError('MILLRACE_THREAD', `${describeDeath(thread)} while it loaded a module`, {
    cause: thread.failure,
  });
}

export function streamError(thread: Thread): MillraceError {
  return new MillraceError('MILLRACE_THREAD', `${describeDeath(thread)} while it read a stream`, {
    cause: thread.failure,
  });
}

export function closedError(): MillraceError {
  return new MillraceError('MILLRACE_ABORTED', 'The threads were ended before the work was done');
}

/**
 * Why a record cannot go to a thread; undefined where it can.
 * @param known what was thrown when this record alone was sent: what is moved cannot be tried out again.
 */
export function uncloneableRecord(
  record: unknown,
  job: ThreadJob,
  lineage: number,
  known: unknown,
): MillraceError | undefined {
  const reason = known === undefined ? whyUncloneable(record) : reasonOf(known);
  if (reason === undefined) return undefined;
  return new MillraceError(
    'MILLRACE_UNCLONABLE',
    `Record ${lineage} cannot be copied to a thread of '${job.taskOf(0)}': ${reason}. Hand over plain data`,
  );
}
