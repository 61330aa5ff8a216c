/**
 * Errors that cross a message port. Structured cloning keeps the message of an error but loses its class, its code and
 * all other properties; this format keeps them.
 *
 * Guarantees: an error arrives with its class name, code, message, stack and cause, and is `instanceof Error` if it was
 * one. Errors of millrace and of the language get their own class again. A thrown value that is not an error arrives
 * unchanged. Nothing that can be thrown makes `packError` throw.
 */
import {
  describeThrown,
  describeValue,
  ERROR_CODES,
  FatalTaskError,
  MillraceError,
  type ErrorCode,
} from '../model/errors.js';

/** An error or another thrown value as plain data. */
export type WireError =
  | {
      readonly type: 'error';
      /** The name of the class, and the error's own `name`. */
      readonly constructorName: string;
      readonly name: string;
      readonly message: string;
      readonly stack: string | undefined;
      readonly cause?: WireError;
      readonly errors?: readonly WireError[];
      /** Own enumerable properties that survive cloning, `code` among them. */
      readonly properties: Readonly<Record<string, unknown>>;
    }
  | { readonly type: 'value'; readonly value: unknown };

/** The maximal depth of causes; deeper ones are cut off. */
const MAX_DEPTH = 8;
const BUILT_IN: Readonly<Record<string, new (message?: string) => Error>> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};
const CARRIED = new Set(['name', 'message', 'stack', 'cause', 'errors']);

/** Turns a thrown value into plain data. */
export function packError(thrown: unknown, depth = 0): WireError {
  try {
    return isErrorLike(thrown) ? packErrorLike(thrown, depth) : { type: 'value', value: cloneable(thrown) };
  } catch (error) {
    // A getter of the thrown value has thrown.
    return { type: 'value', value: `an error that cannot be read (${describeThrown(error)})` };
  }
}

/** Restores the thrown value. */
export function unpackError(wire: WireError): unknown {
  if (wire.type === 'value') return wire.value;
  const error = make(wire);
  define(error, 'stack', wire.stack);
  if (error.name !== wire.name) define(error, 'name', wire.name);
  if (wire.cause !== undefined) define(error, 'cause', unpackError(wire.cause));
  for (const [key, value] of Object.entries(wire.properties)) {
    if (!Object.hasOwn(error, key)) (error as unknown as Record<string, unknown>)[key] = value;
  }
  return error;
}

interface ErrorLike {
  readonly name: unknown;
  readonly message: unknown;
  readonly stack?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
}

/** Whether the value is an error. Errors of another realm are not `instanceof` our Error, so their tag counts too. */
function isErrorLike(thrown: unknown): thrown is ErrorLike {
  if (thrown instanceof Error) return true;
  const tag = Object.prototype.toString.call(thrown);
  return tag === '[object Error]' || tag === '[object DOMException]';
}

function packErrorLike(error: ErrorLike, depth: number): WireError {
  const properties: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(error)) if (!CARRIED.has(key)) properties[key] = cloneable(value);
  // The code of a DOMException, and of some Node errors, is not enumerable or is inherited.
  const { code } = error as { code?: unknown };
  if (code !== undefined && !('code' in properties)) properties['code'] = cloneable(code);
  const constructor = (error as { constructor?: { name?: unknown } }).constructor;
  return {
    type: 'error',
    constructorName: String(constructor?.name ?? error.name),
    name: String(error.name),
    message: String(error.message),
    stack: typeof error.stack === 'string' ? error.stack : undefined,
    properties,
    ...('cause' in error && depth < MAX_DEPTH ? { cause: packError(error.cause, depth + 1) } : {}),
    ...(Array.isArray(error.errors) && depth < MAX_DEPTH
      ? { errors: error.errors.map((each) => packError(each, depth + 1)) }
      : {}),
  };
}

function make(wire: WireError & { type: 'error' }): Error {
  const { constructorName, message, properties } = wire;
  const { code, retryable } = properties;
  if ((constructorName === 'MillraceError' || constructorName === 'FatalTaskError') && isOurCode(code)) {
    const Class = constructorName === 'FatalTaskError' ? FatalTaskError : MillraceError;
    return new Class(code, message, { retryable: retryable === true });
  }
  if (wire.errors !== undefined) return new AggregateError(wire.errors.map(unpackError), message);
  const BuiltIn = BUILT_IN[constructorName];
  if (BuiltIn !== undefined) return new BuiltIn(message);
  return new (namedClass(constructorName))(message);
}

/** A stand-in for a user's class, which may not be loaded here: an error class of the same name. */
function namedClass(name: string): new (message?: string) => Error {
  const Named = class extends Error {};
  Object.defineProperty(Named, 'name', { value: name });
  return Named;
}

function isOurCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);
}

function define(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: false });
}

/** The value if it can be cloned, otherwise its description. */
function cloneable(value: unknown): unknown {
  if (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol') return value;
  try {
    return structuredClone(value);
  } catch {
    return describeValue(value);
  }
}
