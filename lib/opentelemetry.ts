/** The door `millrace/opentelemetry`: what needs @opentelemetry/api, so that `millrace` itself does not load it. */
export { traceRun } from './telemetry/trace-run.js';
