/** The entry point `millrace/csv`: CSV files as sources and sinks. */
export { csvSource, type CsvFields, type CsvSourceOptions } from './csv-source.js';
export { csvSink, type CsvSinkOptions, type CsvValue } from './csv-sink.js';
export { files, type FileSelection, type FilesOptions } from '../files/file-selection.js';
