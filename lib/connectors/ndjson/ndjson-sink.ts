/**
 * Files of JSON lines as a sink: one line per record, in root order, so that the same input produces the same bytes.
 *
 * Guarantees: those of `FileSink`. The failure policy ends a record that JSON cannot represent; other records continue.
 */
import {
  callback,
  checkOptions,
  connectorSink,
  flag,
  oneOf,
  TASK_RULES,
  text,
  type ConnectorContext,
  type FoundRecord,
  type Json,
  type OptionRules,
  type Task,
  type TaskOptions,
  taskOptionsOf,
} from '../../connect/index.js';
import type { FileStore } from '../../connect/files.js';
import { fileStore } from '../files/file-selection.js';
import { FileSink } from '../files/file-sink.js';
import type { ResultFile } from '../files/open-result.js';
import { openResultFile } from '../files/result-file.js';
import { jsonText } from '../json/json-text.js';
import { findJson } from './find-json.js';

/** Options of `ndjsonSink`: where the file goes, and how a record becomes a line. */
export interface NdjsonSinkOptions<In> extends TaskOptions<In, In> {
  /**
   * The path of the result. A `.gz` file is compressed while it is written. A link is followed. An existing file is
   * replaced if its name ends in .ndjson or .jsonl; any other is refused. To a device or a pipe the lines are written
   * directly, and the run cannot be resumed. An `s3://` URL is a file of an object store.
   */
  readonly path: string;
  /** The store of a path that is a URL. Default: the one of its scheme, with settings of the environment. */
  readonly store?: FileStore;
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
  store: fileStore,
  value: callback,
  ordered: flag,
  lineEnd: oneOf('\n', '\r\n'),
};

/** The kind of files that are replaced. Any text may be JSON, so only the name decides. */
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

/** A file of JSON lines as a `Sink`. `ndjsonSink` makes it a task. */
export class NdjsonSink<In> extends FileSink<In, ResultFile> {
  readonly kind = 'ndjson sink';
  readonly checkpointFormat = 'ndjson sink';
  private readonly options: NdjsonSinkOptions<In>;

  constructor(options: NdjsonSinkOptions<In>) {
    super(options.path, options.store);
    this.options = options;
  }

  encode(record: In): string {
    const { value, lineEnd = '\n' } = this.options;
    return jsonText(value === undefined ? record : value(record)) + lineEnd;
  }

  protected openFile({ signal }: ConnectorContext, from: Json | undefined): Promise<ResultFile> {
    const { path, store } = this.options;
    return openResultFile({ path, store, header: '', kind: KIND, signal, from });
  }

  protected put(file: ResultFile, lines: readonly string[]): void | Promise<void> {
    return file.put(() => [lines.join('')]);
  }

  protected async *findIn(path: string, key: string): AsyncGenerator<FoundRecord> {
    for await (const { item } of findJson({ path, store: this.options.store }, key)) {
      yield { where: `${path}, line ${item.line}`, what: 'error' in item ? item.text : JSON.stringify(item.value) };
    }
  }
}
