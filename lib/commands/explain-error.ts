/**
 * What is shown of an error. Promise: one line with the code and one clear sentence; the stack and the causes only where
 * they were asked for.
 */
import { inspect } from 'node:util';
import { codeOf, describeThrown } from '../model/errors.js';
import { oneLine } from '../text/printable.js';

/** The text for standard error, without a line end. */
export function explainError(error: unknown, isDebug: boolean): string {
  const line = `${codeOf(error)}: ${oneLine(describeThrown(error))}`;
  return isDebug ? `${line}\n${inspect(error, { depth: 4 })}` : line;
}
