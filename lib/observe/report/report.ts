/** A report from the events of a run, recorded or live. */
import { lastValueFrom, reduce, type Observable } from 'rxjs';
import { MillraceError } from '../../model/errors.js';
import type { RunEvent } from '../../model/events.js';
import { page } from './page.js';
import { StoryTeller } from './run-story.js';

/**
 * One HTML file, as text, when the events are over. Rejects with MILLRACE_FILE where they hold no run.
 *
 * @example await writeFile('report.html', await reportOf(readEvents('events.ndjson')))
 */
export async function reportOf(events$: Observable<RunEvent>): Promise<string> {
  const teller = new StoryTeller();
  const taken$ = events$.pipe(reduce((told, event) => (told.take(event), told), teller));
  const story = (await lastValueFrom(taken$, { defaultValue: teller })).tell();
  if (story === undefined) throw new MillraceError('MILLRACE_FILE', 'Cannot report: there is no run in these events');
  return page(story);
}
