/** Creates the HTML report from the events of a run, recorded or live. */
import { lastValueFrom, reduce, type Observable } from 'rxjs';
import { MillraceError } from '../../model/errors.js';
import type { RunEvent } from '../../model/events.js';
import { page } from './page.js';
import type { Explanation } from './explanation.js';
import { StoryBuilder, type RunStory } from './run-story.js';

/**
 * Resolves with the content of the report, as plain data, when the events end. Rejects with MILLRACE_FILE if the events
 * contain no run.
 */
export async function storyOfRun(events$: Observable<RunEvent>): Promise<RunStory> {
  const builder = new StoryBuilder();
  const recorded$ = events$.pipe(reduce((target, event) => (target.record(event), target), builder));
  const story = (await lastValueFrom(recorded$, { defaultValue: builder })).build();
  if (story === undefined) {
    throw new MillraceError('MILLRACE_FILE', 'Cannot make a report: these events contain no run');
  }
  return story;
}

/**
 * Resolves with the text of one HTML file when the events end. Rejects with MILLRACE_FILE if the events contain no run.
 *
 * @example await writeFile('report.html', await reportOf(readEvents('events.ndjson')))
 */
export async function reportOf(events$: Observable<RunEvent>): Promise<string> {
  return page(await storyOfRun(events$));
}

/** Like `reportOf`, with the explanation of the run; undefined for a run whose plan was not kept. */
export async function reportWith(events$: Observable<RunEvent>, explanation: Explanation | undefined): Promise<string> {
  return page(await storyOfRun(events$), explanation);
}
