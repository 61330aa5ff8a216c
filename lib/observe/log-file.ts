/**
 * A pino log, as JSON or as readable text, written to a file or a stream.
 *
 * Guarantees: a slow disk or a slow reader neither slows the run nor fills the memory: lines that do not fit into the
 * buffer are dropped, counted, and the count is logged at the end; a file that cannot be written ends the log with one
 * error, and the run continues.
 */
import { once } from 'node:events';
import { openSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { pino, type Logger } from 'pino';
import { MillraceError, describeThrown } from '../model/errors.js';

export type LogFormat = 'json' | 'pretty';
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogOptions {
  /** Default json. */
  readonly format?: LogFormat;
  /** Default info. */
  readonly level?: LogLevel;
}

export interface Log {
  readonly logger: Logger;
  /** Resolves when every line is written. Rejects with MILLRACE_FILE if the file could not be written. */
  close(): Promise<void>;
}

/** The most bytes that wait to be written. */
const CAPACITY = 4 * 2 ** 20;

/** Opens the file for appending. Rejects with MILLRACE_FILE if that fails. */
export async function openLogFile(path: string, options: LogOptions = {}): Promise<Log> {
  const failed = (error: unknown): MillraceError =>
    new MillraceError('MILLRACE_FILE', `Cannot write the log to ${path}: ${describeThrown(error)}`, { cause: error });
  let failure: MillraceError | undefined;
  let dropped = 0;
  let descriptor: number;
  try {
    descriptor = openSync(path, 'a');
  } catch (error) {
    throw failed(error);
  }
  const file = pino.destination({ dest: descriptor, sync: false, maxLength: CAPACITY });
  file.on('drop', () => dropped++);
  file.on('error', (error) => {
    if (failure !== undefined) return;
    failure = failed(error);
    // Without this, pino would retry the waiting lines for ever.
    file.destroy();
  });
  return {
    logger: await loggerTo((line) => failure === undefined && file.write(line), options),
    close: async () => {
      if (failure === undefined) {
        if (dropped > 0) file.write(`${JSON.stringify({ level: 40, msg: `${dropped} lines were left out` })}\n`);
        const closed = once(file, 'close');
        file.end();
        await closed.catch((error: unknown) => {
          failure ??= failed(error);
        });
      }
      if (failure !== undefined) throw failure;
    },
  };
}

/** Logs into a stream that the caller owns. Closing the log leaves the stream open. */
export async function openLogStream(stream: Writable, options: LogOptions = {}): Promise<Log> {
  let dropped = 0;
  const write = (line: string): void => {
    if (stream.writableLength > CAPACITY) dropped++;
    else stream.write(line);
  };
  const logger = await loggerTo(write, options);
  return {
    logger,
    close: () => {
      if (dropped > 0) logger.warn(`${dropped} lines were left out`);
      return Promise.resolve();
    },
  };
}

async function loggerTo(
  write: (line: string) => unknown,
  { format = 'json', level = 'info' }: LogOptions,
): Promise<Logger> {
  // Events already have a time and the id of the run.
  const settings = { level, base: null, timestamp: false } as const;
  if (format === 'json') return pino(settings, { write });
  const { prettyFactory } = await import('pino-pretty');
  const pretty = prettyFactory({ colorize: false, translateTime: 'SYS:yyyy-mm-dd HH:MM:ss.l', singleLine: true });
  return pino(settings, { write: (line: string) => write(pretty(line)) });
}
