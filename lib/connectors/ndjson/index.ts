/** The entry point `millrace/ndjson`: files of JSON records as sources and sinks. */
export { ndjsonSource, type NdjsonSourceOptions } from './ndjson-source.js';
export { ndjsonSink, type NdjsonSinkOptions } from './ndjson-sink.js';
export { files, type FileSelection, type FilesOptions } from '../files/file-selection.js';
