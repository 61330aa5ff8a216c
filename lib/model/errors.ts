/**
 * The errors that millrace raises on purpose. Each has a stable code and a message: what is wrong, the value found, the
 * fix.
 *
 * Guarantees: no code in this repository decides by an error's message, only by `code` and `retryable`;
 * `spec/model/errors.spec.ts` compares this table with the documented one.
 */

import { shareClass } from './shared-class.js';

/** Stable error codes, with the sentence that documents each. */
export const ERROR_CODES = {
  MILLRACE_ABORTED: 'The run was cancelled before the work was done.',
  MILLRACE_AGGREGATE_OVERFLOW: 'An aggregate holds more keys than `maxKeys` allows.',
  MILLRACE_BAD_RESPONSE:
    'The answer of the upstream cannot be read: not JSON, badly compressed, or the answer to a call that was not made.',
  MILLRACE_BUFFER_OVERFLOW: 'A source or operator pushed faster than its consumer accepted, and the policy is `error`.',
  MILLRACE_COLLECT_OVERFLOW: 'An `all` join or a `gather` collected more records than its limit.',
  MILLRACE_CONFIG: 'The configuration is missing, malformed or does not fit its schema.',
  MILLRACE_CONSERVATION: 'A law of the ledger broke: a record was lost or duplicated. The run stops.',
  MILLRACE_CSV: 'A CSV file, its header or one of its rows differs from its declaration.',
  MILLRACE_CYCLE: 'Tasks depend on each other in a circle.',
  MILLRACE_DUPLICATE_TASK: 'Two tasks of one workflow carry the same name.',
  MILLRACE_EVICTED: 'A keyed join stopped waiting for a match because its state was full.',
  MILLRACE_FILE: 'A file or folder cannot be read or written.',
  MILLRACE_HTTP_STATUS: 'The upstream answered with a status that is not a success.',
  MILLRACE_INVALID_INPUT: 'A record does not fit the input schema of the task.',
  MILLRACE_INVALID_OPTION: 'An option does not exist, is missing, or has a value that it does not accept.',
  MILLRACE_INVALID_OUTPUT: 'An output of a task does not fit its output schema.',
  MILLRACE_ITERATIONS: 'A record was not done after the most iterations, or a list had more pages than allowed.',
  MILLRACE_JOIN: 'The dependencies cannot be joined in the requested way.',
  MILLRACE_JSON: 'A file of JSON records, or one of its records, differs from its declaration.',
  MILLRACE_KAFKA: 'A Kafka broker refused a request, or a topic is not as it was declared.',
  MILLRACE_LATE: 'A record came after a window that it belongs to was closed.',
  MILLRACE_LOCKED: 'Another process owns the run.',
  MILLRACE_MISSING_PACKAGE: 'An optional package is needed and not installed.',
  MILLRACE_NETWORK: 'The upstream could not be reached or the connection broke.',
  MILLRACE_RESPONSE_LIMIT: 'An answer of the upstream is larger than `maxResponseBytes`, as sent or unpacked.',
  MILLRACE_RESUME:
    'A run cannot be resumed: its workflow, configuration or input has changed, or its output or progress is gone.',
  MILLRACE_RPC: 'The upstream answered a JSON-RPC call with an error.',
  MILLRACE_SOURCE_WITHOUT_OUTPUT: 'A source has no dependents, so nothing reads what it emits.',
  MILLRACE_SPREAD: 'A workflow cannot be spread over several processes as it is.',
  MILLRACE_SQL: 'A database refused a statement, a row or a connection.',
  MILLRACE_STALLED:
    'The run cannot continue: nothing is queued or running while the window is full, or every call outlives its timeout.',
  MILLRACE_TASK: 'A task’s own code threw; `cause` holds the original error.',
  MILLRACE_THREAD: 'A worker thread died (exit, out of memory, uncaught error) while it worked on the record.',
  MILLRACE_TIMEOUT: 'One attempt took longer than its timeout; its outcome is unknown.',
  MILLRACE_UNCLONABLE: 'A value cannot be copied: to or from a worker thread, or into the state of a run.',
  MILLRACE_UNKNOWN_RUN: 'No kept run has that id.',
  MILLRACE_UNKNOWN_TASK: 'A dependency or an output names a task that does not exist.',
  MILLRACE_UNKNOWN_WORKFLOW: 'No workflow with that name or path can be loaded.',
  MILLRACE_UNREACHABLE: 'A task that is not a source depends on nothing, or no task reads an output of a branch.',
  MILLRACE_UPSTREAM_DOWN: 'The upstream stayed down past the deadline of the circuit breaker. The run stops.',
  MILLRACE_USAGE: 'The command line has an unknown command, option or value.',
  MILLRACE_WINDOW_OVERFLOW: 'A window task holds more open windows, or more records in them, than it may.',
} as const;

/** One of the codes of `ERROR_CODES`; they do not change between versions. */
export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorDetails {
  /** The error that caused this one, unchanged. */
  readonly cause?: unknown;
  /** Whether another attempt may succeed. Default false. */
  readonly retryable?: boolean;
}

/**
 * The only error class of the engine. `message` names the problem, the value found and the fix. `instanceof` also
 * accepts the errors of another copy of this package: the command is such a copy beside the workflow that it runs.
 */
export class MillraceError extends Error {
  static {
    shareClass(this, 'MillraceError');
  }

  /** Always 'MillraceError', also in subclasses. */
  override readonly name = 'MillraceError';
  /** The kind of the error, for programs; the message is for people. */
  readonly code: ErrorCode;
  /** Whether another attempt may succeed. Default false. */
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.retryable = details.retryable ?? false;
  }
}

/** An error that no failure policy may handle: the whole task is wrong, not one record. */
export class FatalTaskError extends MillraceError {
  static {
    shareClass(this, 'FatalTaskError');
  }
}

/** The error for an option or an argument that is not valid. The message must contain the fix. */
export function invalidOption(message: string, details: ErrorDetails = {}): MillraceError {
  return new MillraceError('MILLRACE_INVALID_OPTION', message, details);
}

/** How many causes a description follows. */
const MOST_CAUSES = 3;

/**
 * The message of a thrown value, followed by its causes if the message does not contain them (as in `fetch failed`). It
 * also describes thrown values that are not errors, such as `undefined`, and errors whose fields cannot be read.
 */
export function describeThrown(thrown: unknown): string {
  try {
    if (isError(thrown)) return withCauses(thrown, MOST_CAUSES);
    return `a value that is not an Error was thrown: ${describeValue(thrown)}`;
  } catch {
    return 'an error whose message cannot be read was thrown';
  }
}

/** Accepts errors of other realms too, such as those that Node makes for code in a `vm` context. */
function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
}

function withCauses(error: Error, more: number): string {
  const message = textIn(error, 'message');
  const own = message === '' ? textIn(error, 'name') : message;
  // Messages of our own errors contain their cause already.
  if (error instanceof MillraceError || more === 0) return own;
  const cause =
    fieldOf(error, 'cause') ?? (error instanceof AggregateError ? (error.errors as unknown[])[0] : undefined);
  if (!isError(cause)) return own;
  const why = withCauses(cause, more - 1);
  if (message === '') return why;
  return own.includes(why) ? own : `${own}: ${why}`;
}

/** The stable code of a thrown value, or `MILLRACE_TASK` if it has none that can be read. */
export function codeOf(thrown: unknown): string {
  const code = fieldOf(thrown, 'code');
  return typeof code === 'string' ? code : 'MILLRACE_TASK';
}

/** The thrown value, or an error in its place if not even its class can be read, as of a proxy whose traps throw. */
export function readableThrown(thrown: unknown): unknown {
  try {
    return thrown instanceof Error ? thrown : thrown;
  } catch (cause) {
    return new MillraceError('MILLRACE_TASK', 'an error that cannot be read was thrown', { cause });
  }
}

/** A field of a thrown value; undefined if the value is not an object, or if a getter throws. */
export function fieldOf(thrown: unknown, name: string): unknown {
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  try {
    return (thrown as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

/** A field of an error as text. Users may assign anything to a message. */
function textIn(error: Error, name: 'message' | 'name'): string {
  const value = fieldOf(error, name);
  if (typeof value === 'string') return value;
  return value === undefined ? 'an error whose message cannot be read' : describeValue(value);
}

/** A value and its type, cut to a readable length, for "got …" in messages. */
export function describeValue(value: unknown, limit = 80): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'function') return `a function${value.name === '' ? '' : ` named ${value.name}`}`;
  const text = textOf(value);
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return `${cut} (${Array.isArray(value) ? 'array' : typeof value})`;
}

/** Replaces numbers that JSON cannot represent with text; returns other values unchanged. */
export function numberInWords(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function textOf(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(numberInWords(value));
  if (typeof value === 'symbol') return value.toString();
  try {
    const json: unknown = JSON.stringify(value, (_, inner: unknown) => numberInWords(inner));
    // `toJSON` may return undefined, although the type of JSON.stringify excludes it.
    return String(json);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
