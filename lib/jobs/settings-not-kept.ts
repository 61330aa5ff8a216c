/** The error of a run that cannot be loaded again, because the values of some of its settings were not kept. */
import { MillraceError } from '../model/errors.js';

/** MILLRACE_RESUME with the keys of the settings, so that the caller can explain how to pass them. */
export class SettingsNotKept extends MillraceError {
  constructor(
    runId: string,
    readonly keys: readonly string[],
  ) {
    super(
      'MILLRACE_RESUME',
      `Run ${runId} needs the settings ${keys.join(' and ')} again: their values are secrets, and were not kept. A value that comes from the environment, as \${NAME}, is not needed again`,
    );
  }
}
