/** The entry point `millrace/observe`: logs, metrics, lineage, the performance summary and the HTML report of a run. */
export { writePerformanceSummary, type PerformanceSummaryOptions } from './performance-summary.js';
export { reportOf } from './report/report.js';
export { openLineage, type LineageOptions } from './send-lineage.js';
export { logEvents, type EventLogger } from './log-events.js';
export { serveMetrics, type MetricsServer } from './metrics-server.js';
export { Secrets } from '../text/secrets.js';
