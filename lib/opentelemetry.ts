/**
 * The entry point `millrace/opentelemetry`. It loads @opentelemetry/api, so that `millrace` does not.
 */
export { openTelemetry, traceRun, type TraceOptions } from './observe/trace-run.js';
