/**
 * The entry point `millrace/opentelemetry`: what needs @opentelemetry/api, so that `millrace` itself does not load it.
 */
export { openTelemetry, traceRun, type TraceOptions } from './observe/trace-run.js';
