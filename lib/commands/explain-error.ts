/**
 * The text of an error for users.
 *
 * Guarantees: one line with the code and one clear sentence; the stack and the causes only on request; secrets are
 * masked.
 */
import { inspect } from 'node:util';
import { SettingsNotKept } from '../jobs/settings-not-kept.js';
import { codeOf, describeThrown } from '../model/errors.js';
import { oneLine } from '../text/printable.js';
import type { Secrets } from '../text/secrets.js';

/** The text for standard error, without a line end. */
export function explainError(error: unknown, isDebug: boolean, secrets?: Secrets): string {
  const masked = (text: string): string => secrets?.message(text) ?? text;
  const line = `${codeOf(error)}: ${oneLine(masked(describeThrown(error)))}${howToMend(error)}`;
  return isDebug ? `${line}\n${masked(inspect(error, { depth: 4 }))}` : line;
}

/** The fix as options of the command line, for an error that does not contain it. */
function howToMend(error: unknown): string {
  if (!(error instanceof SettingsNotKept)) return '';
  return `. Write ${error.keys.map((key) => `--set ${key}=…`).join(' ')}`;
}
