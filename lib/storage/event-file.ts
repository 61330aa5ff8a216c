/**
 * The events of a run as NDJSON, one event per line, each with a checksum as its last member `crc`.
 *
 * Guarantees: a slow, full or missing disk neither slows nor fails the run, nor does it fill the memory. The waiting
 * events are bounded; events without room are left out, counted, and replaced by a `dropped` event. Events that every
 * reader needs (the start and the end of the run and of its tasks) are never left out. Dead letters may be: they have a
 * file of their own.
 */
import { open, type FileHandle } from 'node:fs/promises';
import type { Observable } from 'rxjs';
import type { MillraceError } from '../model/errors.js';
import type { RunEvent } from '../model/events.js';
import { eventLine } from '../model/json-line.js';
import { checkOptions, checkText, count, flag, type OptionRules } from '../options/options.js';
import { fileError } from './file-errors.js';
import { sealLine } from './sealed.js';
import { syncData } from './sync-data.js';

/** Options of `eventFile`. */
export interface EventFileOptions {
  /** The most characters that wait to be written. Default 4,194,304. */
  readonly capacity?: number;
  /**
   * Continues the file of an earlier incarnation of the run, after removing a last line that was cut off. Default
   * false: the file is replaced.
   */
  readonly append?: boolean;
}

/** The result of a recording. */
export interface Recording {
  /** Lines that were written, including `dropped` events. */
  readonly written: number;
  /** Events that were left out because `capacity` was reached. */
  readonly dropped: number;
}

const DEFAULT_CAPACITY = 4 * 2 ** 20;

/** The number of bytes that are read at once to find the end of the last line. */
const BLOCK = 64 * 1024;
const NEW_LINE = 0x0a;

/** The types of events that are never left out. */
const NEVER_DROPPED: ReadonlySet<string> = new Set<RunEvent['type']>([
  'run-started',
  'resumed',
  'task-started',
  'task-ended',
  'task-skipped',
  'run-ended',
]);

const RULES: OptionRules<EventFileOptions> = { capacity: count(), append: flag };

/**
 * Writes the events to this file. Resolves when the last one is on the disk. If they cannot be written, rejects with
 * MILLRACE_FILE after the last event. Throws MILLRACE_INVALID_OPTION if the path is empty or an option does not fit.
 */
export function eventFile(
  events$: Observable<RunEvent>,
  path: string,
  options: EventFileOptions = {},
): Promise<Recording> {
  checkText('the path of an eventFile', path);
  checkOptions('an eventFile', options, RULES);
  const recorder = new Recorder(path, options.capacity ?? DEFAULT_CAPACITY, options.append ?? false);
  const recording = new Promise<Recording>((resolve, reject) => {
    const end = (): void => {
      recorder.close().then(resolve, reject);
    };
    events$.subscribe({
      next: (event) => {
        recorder.accept(event);
      },
      error: end,
      complete: end,
    });
  });
  // A caller that ignores the recording must not get an unhandled rejection.
  recording.catch(() => undefined);
  return recording;
}

class Recorder {
  private readonly path: string;
  private readonly capacity: number;
  private readonly isAppending: boolean;
  private lines: string[] = [];
  /** Characters that wait to be written, including those of the present write. */
  private waitingChars = 0;
  private written = 0;
  private dropped = 0;
  /** Dropped events that no `dropped` event has reported yet, by type. */
  private unreported = new Map<string, number>();
  private file: FileHandle | undefined;
  private writing: Promise<void> | undefined;
  private failure: MillraceError | undefined;

  constructor(path: string, capacity: number, isAppending: boolean) {
    this.path = path;
    this.capacity = capacity;
    this.isAppending = isAppending;
  }

  accept(event: RunEvent): void {
    if (this.failure !== undefined) return;
    if (this.waitingChars >= this.capacity && !NEVER_DROPPED.has(event.type)) {
      this.dropped++;
      this.unreported.set(event.type, (this.unreported.get(event.type) ?? 0) + 1);
      return;
    }
    this.reportDropped(event.at);
    this.push(event);
  }

  async close(): Promise<Recording> {
    await this.writing;
    const { file } = this;
    this.file = undefined;
    try {
      if (this.failure === undefined && file !== undefined) await syncData(file);
    } finally {
      await file?.close();
    }
    if (this.failure !== undefined) throw this.failure;
    return { written: this.written, dropped: this.dropped };
  }

  private reportDropped(at: number): void {
    if (this.unreported.size === 0) return;
    const types = Object.fromEntries(this.unreported);
    const count = [...this.unreported.values()].reduce((sum, one) => sum + one, 0);
    this.unreported = new Map();
    this.push({ type: 'dropped', at, count, types });
  }

  private push(event: RunEvent): void {
    const line = sealLine(eventLine(event));
    this.waitingChars += line.length;
    this.lines.push(line);
    this.writing ??= this.drain();
  }

  private async drain(): Promise<void> {
    try {
      this.file ??= await (this.isAppending ? openAfterLastLine(this.path) : open(this.path, 'w'));
      while (this.lines.length > 0) {
        const { lines } = this;
        this.lines = [];
        const text = lines.join('');
        await this.file.appendFile(text);
        this.waitingChars -= text.length;
        this.written += lines.length;
      }
    } catch (error) {
      this.lines = [];
      this.failure = fileError('write', this.path, error, 'events');
    } finally {
      this.writing = undefined;
    }
  }
}

/** Opens the file for appending, and removes a last line that a crash cut off. */
async function openAfterLastLine(path: string): Promise<FileHandle> {
  const file = await open(path, 'a+');
  try {
    const { size } = await file.stat();
    const block = Buffer.alloc(BLOCK);
    for (let end = size; end > 0; end -= BLOCK) {
      const start = Math.max(0, end - BLOCK);
      const { bytesRead } = await file.read(block, 0, end - start, start);
      const at = block.lastIndexOf(NEW_LINE, bytesRead - 1);
      if (at < 0 && start > 0) continue;
      const whole = start + at + 1;
      if (whole < size) await file.truncate(whole);
      break;
    }
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
