/**
 * A log by pino, as JSON or for people, into a file or a stream.
 *
 * Promises: neither a slow disk nor a slow reader slows the run or fills the memory: what finds no room is left out, counted,
 * and told at the end; a file that cannot be written ends the log with one sentence, and not the run.
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
  /** Resolves when everything is written; rejects with MILLRACE_FILE where it could not be. */
  close(): Promise<void>;
}

/** Bytes that wait to be written. */
const CAPACITY = 4 * 2 ** 20;

/** Opens the file for appending. Rejects with MILLRACE_FILE where that fails. */
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
    // What waits would be tried again and again.
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

/** Logs into a stream of somebody else's, which stays open. */
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
  // Events carry their own time, and the run its own id.
  const settings = { level, base: null, timestamp: false } as const;
  if (format === 'json') return pino(settings, { write });
  const { prettyFactory } = await import('pino-pretty');
  const pretty = prettyFactory({ colorize: false, translateTime: 'SYS:yyyy-mm-dd HH:MM:ss.l', singleLine: true });
  return pino(settings, { write: (line: string) => write(pretty(line)) });
}
