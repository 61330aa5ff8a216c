/**
 * The events of a run as NDJSON, one event a line.
 *
 * Promises: a disk that is slow, full or gone neither slows nor fails the run, nor does it fill the memory: what waits to
 * be written is bounded, and what finds no room is left out, counted and told by a `dropped` event in its place. What a
 * reader cannot do without (the start and the end of the run and of its tasks) is never left out. Dead letters may be:
 * they have a file of their own.
 */
import { open, type FileHandle } from 'node:fs/promises';
import type { Observable } from 'rxjs';
import { MillraceError, describeThrown } from '../model/errors.js';
import type { RunEvent } from '../model/events.js';
import { eventLine } from '../model/json-line.js';
import { checkOptions, checkText, count, flag, type OptionRules } from '../options/options.js';

/** Options of `eventFile`. */
export interface EventFileOptions {
  /** The most characters that wait to be written. Default 4 Mi. */
  readonly capacity?: number;
  /**
   * Goes on behind what an earlier life of the run left there, but for a last line that was cut off. Default false: the
   * file is replaced.
   */
  readonly append?: boolean;
}

/** What was recorded. */
export interface Recording {
  /** Lines that this recording wrote, `dropped` events included. */
  readonly written: number;
  /** Events that were left out, because `capacity` was full. */
  readonly dropped: number;
}

const DEFAULT_CAPACITY = 4 * 2 ** 20;

/** How much of the end of a file is looked at in one go, in bytes. */
const BLOCK = 64 * 1024;
const NEW_LINE = 0x0a;

const KEPT: ReadonlySet<string> = new Set<RunEvent['type']>([
  'run-started',
  'resumed',
  'task-started',
  'task-ended',
  'run-ended',
]);

const RULES: OptionRules<EventFileOptions> = { capacity: count(), append: flag };

/**
 * Writes the events to this file. Resolves when the last one is on the disk;
 * rejects with MILLRACE_FILE, once the events are over, where they could not be written. Throws MILLRACE_INVALID_OPTION.
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
        recorder.take(event);
      },
      error: end,
      complete: end,
    });
  });
  // Whoever does not wait for it must not get an unhandled rejection.
  recording.catch(() => undefined);
  return recording;
}

class Recorder {
  private readonly path: string;
  private readonly capacity: number;
  private readonly isAppending: boolean;
  private lines: string[] = [];
  /** Characters that wait, those of the write under way included. */
  private held = 0;
  private written = 0;
  private dropped = 0;
  /** Left out and not told yet, by type. */
  private untold = new Map<string, number>();
  private file: FileHandle | undefined;
  private writing: Promise<void> | undefined;
  private failure: MillraceError | undefined;

  constructor(path: string, capacity: number, isAppending: boolean) {
    this.path = path;
    this.capacity = capacity;
    this.isAppending = isAppending;
  }

  take(event: RunEvent): void {
    if (this.failure !== undefined) return;
    if (this.held >= this.capacity && !KEPT.has(event.type)) {
      this.dropped++;
      this.untold.set(event.type, (this.untold.get(event.type) ?? 0) + 1);
      return;
    }
    this.tellDropped(event.at);
    this.push(event);
  }

  async close(): Promise<Recording> {
    await this.writing;
    const { file } = this;
    this.file = undefined;
    try {
      if (this.failure === undefined) await file?.datasync();
    } finally {
      await file?.close();
    }
    if (this.failure !== undefined) throw this.failure;
    return { written: this.written, dropped: this.dropped };
  }

  private tellDropped(at: number): void {
    if (this.untold.size === 0) return;
    const types = Object.fromEntries(this.untold);
    const count = [...this.untold.values()].reduce((sum, one) => sum + one, 0);
    this.untold = new Map();
    this.push({ type: 'dropped', at, count, types });
  }

  private push(event: RunEvent): void {
    const line = eventLine(event);
    this.held += line.length;
    this.lines.push(line);
    this.writing ??= this.drain();
  }

  private async drain(): Promise<void> {
    try {
      this.file ??= await (this.isAppending ? openBehindLastLine(this.path) : open(this.path, 'w'));
      while (this.lines.length > 0) {
        const { lines } = this;
        this.lines = [];
        const text = lines.join('');
        await this.file.appendFile(text);
        this.held -= text.length;
        this.written += lines.length;
      }
    } catch (error) {
      this.lines = [];
      this.failure = new MillraceError(
        'MILLRACE_FILE',
        `Cannot write events to ${this.path}: ${describeThrown(error)}. Free space there, or name another file`,
        { cause: error },
      );
    } finally {
      this.writing = undefined;
    }
  }
}

/** Opens for appending, without a last line that a crash cut off. */
async function openBehindLastLine(path: string): Promise<FileHandle> {
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
