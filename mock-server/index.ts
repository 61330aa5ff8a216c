/** The entry point `millrace/mock-server`, for tests, benchmarks and workflows. Importing it starts nothing. */
export { startMockServer } from './server.js';
export type { MockServer, MockServerOptions } from './server.js';
export { FaultsError } from './fault-options.js';
export type { FaultSet, Faults, ResolvedFaultSet, ScenarioStep } from './fault-options.js';
export type { RouteCount, ServerStats } from './activity.js';
export type { RequestSeen } from './server-state.js';
export type { LatencyModel, LatencySpec } from './latency.js';
export { atsOf, offerOf, respOf } from './models.js';
export type { Features, OfferName, Predictions } from './models.js';
