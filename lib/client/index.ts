/** The entry point `millrace/client`: requests to a server, `millrace serve`, from a program. */
export {
  serverClient,
  type ServerBackfills,
  type ServerClient,
  type ServerClientOptions,
  type ServerRuns,
  type ServerSchedules,
  type ServerTokens,
  type ServerTriggers,
} from './server-client.js';
export { ServerRefusedError } from './requests.js';
export type { EventsQuery, ServerEvent } from './events.js';
export type {
  LetterGroup,
  LetterGroups,
  LettersPage,
  LettersQuery,
  OutputQuery,
  RunOutput,
  RunProcess,
  RunRequest,
  RunsPage,
  RunsQuery,
  ServerLetter,
  ServerRun,
  ServerRunOrigin,
  ServerRunState,
  ServerTrace,
} from './shapes/runs.js';
export type { ServerExplanation, ServerPathTask } from './shapes/explanation.js';
export type { ServerRunHistory, ServerStretch } from './shapes/run-history.js';
export type {
  ServerEdgeView,
  ServerOutlineView,
  ServerRunView,
  ServerTaskView,
  ServerWholeView,
} from './shapes/run-view.js';
export type {
  BackfillPreview,
  BackfillRequest,
  CalendarCell,
  CalendarRow,
  DecisionsQuery,
  ScheduleDecision,
  SchedulePreview,
  ScheduleRule,
  ServerBackfill,
  ServerSchedule,
  TickRange,
} from './shapes/schedules.js';
export type {
  ServerAlert,
  ServerAuditEntry,
  ServerDelivery,
  ServerOverview,
  ServerQueue,
  ServerQueuedRun,
  ServerRole,
  ServerToken,
  ServerTrigger,
  ServerWorkflow,
  ServerWorkflows,
  TokenRequest,
} from './shapes/server.js';
