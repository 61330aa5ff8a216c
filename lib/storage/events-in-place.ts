/** What stands where events are to go. Promise: only a recording of a run is replaced. */
import { assertReplaceable, type FirstLine } from './in-place.js';

/** How a recording begins, up to where the rest of its first line may be long. */
const OPENING = /^\{"type":"run-started","version":\d+,"at":\d+/;

/** Throws MILLRACE_FILE where events cannot be written there, or would take the place of something else. */
export function assertForEvents(path: string): Promise<void> {
  return assertReplaceable(path, 'events', isRecording);
}

function isRecording(line: FirstLine): boolean {
  if ('beginning' in line) return OPENING.test(line.beginning);
  const { type, version, at } = (line.json ?? {}) as Partial<Record<'type' | 'version' | 'at', unknown>>;
  return type === 'run-started' && typeof version === 'number' && typeof at === 'number';
}
