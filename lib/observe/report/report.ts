/** A report from the events of a run, recorded or live. */
import { lastValueFrom, reduce, type Observable } from 'rxjs';
import { MillraceError } from '../../model/errors.js';
import type { RunEvent } from '../../model/events.js';
import { page } from './page.js';
import { StoryTeller, type RunStory } from './run-story.js';

/** What the report shows, as plain data, when the events are over. Rejects with MILLRACE_FILE where they hold no run. */
export async function storyOfRun(events$: Observable<RunEvent>): Promise<RunStory> {
  const teller = new StoryTeller();
  const taken$ = events$.pipe(reduce((told, event) => (told.take(event), told), teller));
  const story = (await lastValueFrom(taken$, { defaultValue: teller })).tell();
  if (story === undefined) throw new MillraceError('MILLRACE_FILE', 'Cannot report: there is no run in these events');
  return story;
}

/**
 * One HTML file, as text, when the events are over. Rejects with MILLRACE_FILE where they hold no run.
 *
 * @example await writeFile('report.html', await reportOf(readEvents('events.ndjson')))
 */
export async function reportOf(events$: Observable<RunEvent>): Promise<string> {
  return page(await storyOfRun(events$));
}
