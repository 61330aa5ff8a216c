/** Masks the secrets in events. */
import type { RunEvent } from '../../model/events.js';
import type { Secrets } from '../../text/secrets.js';

/** Events that hold only numbers and names of tasks, and dead letters, which are masked when they are made. */
const WITHOUT_TEXT: ReadonlySet<RunEvent['type']> = new Set([
  'progress',
  'resources',
  'checkpoint',
  'slow-records',
  'task-started',
  'task-ended',
  'dead-letter',
]);

/** The event without secrets; the event itself if it holds none. */
export function maskEvent(event: RunEvent, secrets: Secrets): RunEvent {
  if (WITHOUT_TEXT.has(event.type)) return event;
  const masked = secrets.data(event);
  if (!('message' in masked) || typeof masked.message !== 'string') return masked;
  const message = secrets.message(masked.message);
  return message === masked.message ? masked : { ...masked, message };
}
