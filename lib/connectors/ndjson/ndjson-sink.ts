/**
 * Files of JSON lines as a sink: one line per record, in root order, so that the same input produces the same bytes.
 *
 * Guarantees: lines are written to `path.part`, which is renamed to `path` only when the whole run has completed, so a
 * reader never sees a partial result (see files/result-file for links, mounts, devices and pipes). A record that JSON
 * cannot represent ends by the failure policy, without other records.
 */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  callback,
  checkOptions,
  connectorSink,
  flag,
  holdClock,
  oneOf,
  TASK_RULES,
  text,
  type Clock,
  type ConnectorContext,
  type Dataset,
  type FoundRecord,
  type OptionRules,
  type RunOutcome,
  type Sink,
  type SinkPast,
  type SinkRows,
  type Task,
  type TaskOptions,
  type TouchedFile,
  taskOptionsOf,
} from '../../connect/index.js';
import { resultPathOf, touchedFile, type FilePoint } from '../../connect/files.js';
import { assertResultPlace, filesOnTheWayTo, openResultFile, type ResultFile } from '../files/result-file.js';
import { jsonText } from '../json/json-text.js';
import { findJson } from './find-json.js';

/** Options of `ndjsonSink`: where the file goes, and how a record becomes a line. */
export interface NdjsonSinkOptions<In> extends TaskOptions<In, In> {
  /**
   * The path of the result. A `.gz` file is compressed while it is written. A link is followed. An existing file is replaced
   * if its name ends in .ndjson or .jsonl; any other is refused. To a device or a pipe the lines are written directly, and
   * the run cannot be resumed.
   */
  readonly path: string;
  /** The value that is written for a record. Default: the record itself. */
  readonly value?: (record: In) => unknown;
  /** Writes in root order. Default true. */
  readonly ordered?: boolean;
  /** Default `\n`. */
  readonly lineEnd?: '\n' | '\r\n';
}

const RULES: OptionRules<NdjsonSinkOptions<unknown>> = {
  ...TASK_RULES,
  path: text,
  value: callback,
  ordered: flag,
  lineEnd: oneOf('\n', '\r\n'),
};

/** Which files are replaced. Anything may be JSON, so only the name tells. */
const KIND = { names: /\.(?:ndjson|jsonl)$/i, ending: '.ndjson', isKnownBy: (): boolean => false };

/**
 * Writes one line of JSON per record to `path.part`, which is renamed to `path` only when the run has completed. The
 * failure policy ends a record that JSON cannot represent; other records continue. Throws MILLRACE_INVALID_OPTION for
 * options that do not fit.
 *
 * @example ndjsonSink({ path: 'offers.ndjson.gz', value: (offer: Offer) => ({ id: offer.id, name: offer.name }) })
 */
export function ndjsonSink<In>(options: NdjsonSinkOptions<In>): Task<In, In> {
  checkOptions('an ndjsonSink', options, RULES, ['path']);
  return connectorSink(new NdjsonSink(options), taskOptionsOf(options));
}

/** A file of JSON lines as a `Sink`. `ndjsonSink` makes a task of it. */
export class NdjsonSink<In> implements Sink<In, string> {
  readonly kind = 'ndjson sink';
  private readonly options: NdjsonSinkOptions<In>;
  private file: ResultFile | undefined;
  private clock: Pick<Clock, 'hold'> = {};

  constructor(options: NdjsonSinkOptions<In>) {
    this.options = options;
  }

  get dataset(): Dataset {
    return { namespace: 'file', name: resolve(this.options.path) };
  }

  files(): readonly TouchedFile[] {
    const { path } = this.options;
    return [touchedFile(path, 'write'), ...filesOnTheWayTo(path).map((part) => touchedFile(part, 'write', path))];
  }

  async *find(key: string): AsyncGenerator<FoundRecord> {
    const { path } = this.options;
    // An unfinished result is in the file beside it. A device or a pipe has nothing to read.
    const end = resultPathOf(path);
    const file = [path, `${end}.part`].find((name) => statSync(name, { throwIfNoEntry: false })?.isFile() === true);
    if (end === undefined || file === undefined) return;
    for await (const { item } of findJson({ path: file }, key)) {
      yield { where: `${file}, line ${item.line}`, what: 'error' in item ? item.text : JSON.stringify(item.value) };
    }
  }

  check(): Promise<void> {
    return assertResultPlace(this.options.path);
  }

  async open(context: ConnectorContext, past: SinkPast | undefined): Promise<undefined> {
    const { task, clock, signal } = context;
    const { path } = this.options;
    this.clock = clock;
    const from = past?.prepared as FilePoint | undefined;
    this.file = await holdClock(clock, openResultFile({ path, header: '', kind: KIND, signal, from }));
    if (this.file.isStream) {
      context.cannotResume(`'${task}' writes to ${path}, a device or a pipe, from which no line can be taken back`);
    }
  }

  encode(record: In): string {
    const { value, lineEnd = '\n' } = this.options;
    return jsonText(value === undefined ? record : value(record)) + lineEnd;
  }

  write({ rows }: SinkRows<string>): void | Promise<void> {
    const writing = this.file?.put(() => [rows.join('')]);
    return writing && holdClock(this.clock, writing);
  }

  prepare(): Promise<FilePoint | undefined> {
    return holdClock(this.clock, (this.file as ResultFile).mark());
  }

  async close(outcome: RunOutcome): Promise<void> {
    const { file } = this;
    this.file = undefined;
    if (file === undefined) return;
    await holdClock(this.clock, outcome === 'completed' ? file.finish() : file.abandon());
  }
}
