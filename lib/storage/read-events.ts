/**
 * Reads a recorded run: an Observable of the same events as those of the live run.
 *
 * Guarantees: nothing is read before a subscription, each subscriber reads for itself, and unsubscribing closes the
 * file. A last line that a crash cut off is left out. A line that does not match its checksum is refused with its
 * number; lines without checksums, as of `run --json`, are read as they are. Events of unknown types are emitted
 * unchanged. A recording by a newer version with other meanings is refused, and so is a file that is not a recording.
 */
import { createReadStream } from 'node:fs';
import { Observable, type Subscriber } from 'rxjs';
import { MillraceError, describeThrown, describeValue } from '../model/errors.js';
import { EVENT_VERSION, type RunEvent } from '../model/events.js';
import { unsealLine } from './sealed.js';

/** The events of the recording at this path, in order. The Observable fails with MILLRACE_FILE. */
export function readEvents(path: string): Observable<RunEvent> {
  return new Observable((subscriber) => {
    const input = createReadStream(path, { encoding: 'utf8' });
    subscriber.add(() => {
      input.destroy();
    });
    const reader = new EventReader(path, subscriber);
    input.on('data', (text) => {
      reader.accept(text as string);
    });
    input.on('end', () => {
      reader.end();
    });
    input.on('error', (error) => {
      subscriber.error(
        new MillraceError(
          'MILLRACE_FILE',
          `Cannot read events from ${path}: ${describeThrown(error)}. Check the path of the recording`,
          { cause: error },
        ),
      );
    });
  });
}

/** The end of a line whose checksum has lost its name or one of its digits. No event ends like that. */
const ALMOST_SEALED = /,"(?:[^"\\]|\\.){3}":"[0-9a-f]{8}"\}$|,"crc":"[^"]*"\}$/;

class EventReader {
  private readonly path: string;
  private readonly subscriber: Subscriber<RunEvent>;
  private rest = '';
  private line = 0;
  /** True once a line had a checksum. Then all later lines need one. */
  private isSealed = false;

  constructor(path: string, subscriber: Subscriber<RunEvent>) {
    this.path = path;
    this.subscriber = subscriber;
  }

  accept(text: string): void {
    const lines = `${this.rest}${text}`.split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      if (this.subscriber.closed) return;
      this.read(line, false);
    }
  }

  end(): void {
    if (this.rest !== '') this.read(this.rest, true);
    this.subscriber.complete();
  }

  private read(line: string, mayBeCut: boolean): void {
    this.line++;
    if (line.trim() === '') return;
    const { state, text } = unsealLine(line);
    let event: unknown;
    try {
      event = JSON.parse(state === 'whole' ? text : line);
    } catch (error) {
      // A line that lost only its end is cut off. A line with another byte in place of its line feed is damaged.
      if (!mayBeCut || unsealLine(line.slice(0, -1)).state === 'whole')
        this.refuse(`it is not JSON (${describeThrown(error)})`);
      return;
    }
    if (state === 'damaged' || (state === 'unsealed' && (this.isSealed || ALMOST_SEALED.test(line)))) {
      this.refuse('it is damaged, because it does not match its checksum. Put the file back as it was');
      return;
    }
    this.isSealed ||= state === 'whole';
    if (!isEvent(event)) {
      this.refuse(`expected an object with a \`type\`, got ${describeValue(event)}`);
      return;
    }
    if (event.type === 'run-started' && (event.version as number) !== EVENT_VERSION) {
      const { version } = event as { readonly version?: unknown };
      this.refuse(
        `its events are of version ${describeValue(version)}, and this millrace reads version ${EVENT_VERSION}. Read it with the version that recorded it, or a newer one`,
      );
      return;
    }
    this.subscriber.next(event);
  }

  private refuse(why: string): void {
    this.subscriber.error(new MillraceError('MILLRACE_FILE', `Line ${this.line} of ${this.path}: ${why}`));
  }
}

/** Requires only a `type`: the summary, which is the last line of `run --json`, has no `at`. */
function isEvent(value: unknown): value is RunEvent {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}
