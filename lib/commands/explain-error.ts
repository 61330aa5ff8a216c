/**
 * The text of an error for users.
 *
 * Guarantees: one line with the code and one clear sentence; the stack and the causes only on request.
 */
import { inspect } from 'node:util';
import { codeOf, describeThrown } from '../model/errors.js';
import { oneLine } from '../text/printable.js';

/** The text for standard error, without a line end. */
export function explainError(error: unknown, isDebug: boolean): string {
  const line = `${codeOf(error)}: ${oneLine(describeThrown(error))}`;
  return isDebug ? `${line}\n${inspect(error, { depth: 4 })}` : line;
}
