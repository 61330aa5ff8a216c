/**
 * The text of an error for users.
 *
 * Guarantees: one line with the code and one clear sentence; the stack and the causes only on request; secrets are
 * masked.
 */
import { inspect } from 'node:util';
import { codeOf, describeThrown } from '../model/errors.js';
import { oneLine } from '../text/printable.js';
import type { Secrets } from '../text/secrets.js';

/** The text for standard error, without a line end. */
export function explainError(error: unknown, isDebug: boolean, secrets?: Secrets): string {
  const masked = (text: string): string => secrets?.message(text) ?? text;
  const line = `${codeOf(error)}: ${oneLine(masked(describeThrown(error)))}`;
  return isDebug ? `${line}\n${masked(inspect(error, { depth: 4 }))}` : line;
}
