/** The errors that only threads cause. */
import { FatalTaskError, MillraceError, codeOf, describeThrown } from '../model/errors.js';
import type { Thread } from './thread.js';
import type { ThreadWorkload } from './thread-workload.js';
import { reasonOf, whyUncloneable } from './uncloneable.js';

/** The end of a thread, as the beginning of a sentence. */
function describeDeath({ failure, exitCode }: Pick<Thread, 'failure' | 'exitCode'>): string {
  if (failure === undefined) return `A thread exited with code ${exitCode ?? 'unknown'}`;
  if (codeOf(failure) === 'ERR_WORKER_OUT_OF_MEMORY') return 'A thread ran out of memory';
  return `A thread died of an uncaught error (${describeThrown(failure)})`;
}

/** The error of a record that was alone in its thread when the thread died. */
export function deathError(workload: ThreadWorkload, member: number, lineage: number, thread: Thread): MillraceError {
  const message = `${describeDeath(thread)} while '${workload.taskOf(member)}' worked on record ${lineage}`;
  return new MillraceError('MILLRACE_THREAD', message, { cause: thread.failure });
}

/** The error of a record that exceeded the time limit of its workload. */
export function timeoutError(workload: ThreadWorkload, member: number, lineage: number): MillraceError {
  return new MillraceError(
    'MILLRACE_TIMEOUT',
    `'${workload.taskOf(member)}' worked on record ${lineage} for more than ${workload.spec.timeoutMs ?? 0} ms, so its thread was stopped`,
  );
}

/** The error of a workload whose partition was lost with its thread. */
export function lostState(workload: ThreadWorkload, thread: Thread): FatalTaskError {
  return new FatalTaskError(
    'MILLRACE_THREAD',
    `${describeDeath(thread)}, and a partition of '${workload.taskOf(0)}' was lost with it. A result of the other partitions alone would be wrong. Leave out \`partitionBy\`: then the parts are kept outside of threads`,
    { cause: thread.failure },
  );
}

/** The error of a workload whose records killed many threads, while no record was answered. */
export function nothingWorksError(
  workload: ThreadWorkload,
  thread: Pick<Thread, 'failure' | 'exitCode'>,
  deaths: number,
): FatalTaskError {
  return new FatalTaskError(
    'MILLRACE_THREAD',
    `${describeDeath(thread)}. Each record that '${workload.taskOf(0)}' worked on ended its thread (${deaths} threads in all), and none was finished: check its function, its module and the limits of threads`,
    { cause: thread.failure },
  );
}

/** The error of the workloads that threads cannot load. */
export function fruitlessError(thread: Thread, deaths: number): FatalTaskError {
  return new FatalTaskError(
    'MILLRACE_THREAD',
    `${describeDeath(thread)}. It was thread number ${deaths} in a row that ended before it did any work: check the limits of threads, and the code that the module runs while it loads`,
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
 * The error of a record that cannot be copied to a thread; undefined if it can be copied.
 * @param known the error from sending this record alone. Moved data cannot be tested a second time.
 */
export function uncloneableRecord(
  record: unknown,
  workload: ThreadWorkload,
  lineage: number,
  known: unknown,
): MillraceError | undefined {
  const reason = known === undefined ? whyUncloneable(record) : reasonOf(known);
  if (reason === undefined) return undefined;
  return new MillraceError(
    'MILLRACE_UNCLONABLE',
    `Record ${lineage} cannot be copied to a thread of '${workload.taskOf(0)}': ${reason}. Hand over plain data`,
  );
}
